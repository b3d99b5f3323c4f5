using RealNvp.Kernels;
using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

[LeavesNoTensors]
public class DenseNetworkTests
{
    [Theory, MemberData(nameof(Shapes))]
    public void The_kernel_gives_what_plain_operations_give(string kind, int rows, int hidden, int context, int lanes)
    {
        using var scope = NewDisposeScope();
        using var net = DenseNets.Create(kind, hidden, context);
        var (x, c, g) = DenseNets.Tensors(net, rows);

        var kernel = Run(lanes, () => DenseNets.Gradients(net, x, c, g));
        var plain = Run(0, () => DenseNets.Gradients(net, x, c, g));
        net.to(float64);
        var exact = Run(0, () => DenseNets.Gradients(net, x.to(float64), c?.to(float64), g.to(float64)));

        DenseNets.Difference(kernel[..1], plain[..1]).Should().BeLessThan(1e-6);
        DenseNets.Difference(kernel[1..], plain[1..]).Should().BeLessThan(1e-6);
        DenseNets.Difference(kernel[..1], exact[..1]).Should().BeLessThan(1e-6);
        DenseNets.Difference(kernel[1..], exact[1..]).Should().BeLessThan(1e-6);
    }

    public static TheoryData<string, int, int, int, int> Shapes()
    {
        var data = new TheoryData<string, int, int, int, int>();
        foreach (var kind in DenseNets.Kinds)
            foreach (var (rows, hidden) in new[] { (1, 1), (3, 65), (17, 3), (65, 17), (300, 33), (97, 64), (1, 200) })
                foreach (var context in new[] { 0, 3 })
                    foreach (var lanes in new[] { 8, 16 }) data.Add(kind, rows, hidden, context, lanes);
        return data;
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Without_gradients_the_bits_are_the_same_as_with_them(string kind)
    {
        using var scope = NewDisposeScope();
        using var net = DenseNets.Create(kind, 33, 3);
        var (x, c, _) = DenseNets.Tensors(net, 130);
        var with = net.call(x, c);
        using var _ = no_grad();
        net.call(x, c).data<float>().ToArray().Should().Equal(with.detach().data<float>().ToArray());
    }

    // few rows take weights as they lie, many take them packed
    [Theory, MemberData(nameof(Kinds))]
    public void Few_rows_have_the_bits_that_they_have_among_many(string kind)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (var hidden in new[] { 7, 33, 64 })
            foreach (var lanes in new[] { 8, 16 })
            {
                using var net = DenseNets.Create(kind, hidden, 3);
                var (x, c, _) = DenseNets.Tensors(net, 20);
                var many = Run(lanes, () => [net.call(x, c)])[0];
                for (var rows = 1; rows <= 9; rows++)
                {
                    var few = Run(lanes, () => [net.call(x.narrow(0, 4, rows), c!.narrow(0, 4, rows))])[0];
                    few.data<float>().ToArray().Should().Equal(many.narrow(0, 4, rows).contiguous().data<float>().ToArray());
                }
            }
    }

    [Theory, MemberData(nameof(Kinds))]
    public void The_result_is_the_same_for_any_number_of_threads(string kind)
    {
        using var scope = NewDisposeScope();
        using var net = DenseNets.Create(kind, 128, 3);
        var (x, c, g) = DenseNets.Tensors(net, 1200);
        var before = get_num_threads();
        var results = new List<float[][]>();
        try
        {
            foreach (var threads in new[] { 1, 2 })
            {
                set_num_threads(threads);
                results.Add([.. DenseNets.Gradients(net, x, c, g).Select(t => t.contiguous().data<float>().ToArray())]);
            }
        }
        finally { set_num_threads(before); }
        for (var i = 0; i < results[0].Length; i++) results[1][i].Should().Equal(results[0][i]);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_row_does_not_depend_on_the_rows_beside_it(string kind)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var net = DenseNets.Create(kind, 40, 3);
        var (x, c, _) = DenseNets.Tensors(net, 101);
        var all = net.call(x, c);
        foreach (var row in new[] { 0, 5, 97, 100 })
            net.call(x.narrow(0, row, 1), c!.narrow(0, row, 1)).data<float>().ToArray().Should().Equal(all[row].data<float>().ToArray());
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Numbers_that_are_not_finite_travel_as_in_plain_operations(string kind)
    {
        using var scope = NewDisposeScope();
        using var net = DenseNets.Create(kind, 17, 3);
        var (x, c, g) = DenseNets.Tensors(net, 12);
        x[1, 0] = float.NaN;
        x[2, 1] = float.PositiveInfinity;
        x[3, 2] = float.NegativeInfinity;
        x[4, 0] = 1e38f;
        c![5, 1] = float.NaN;
        g[6, 0] = float.NaN;
        var kernel = Run(8, () => DenseNets.Gradients(net, x, c, g));
        var wide = Run(16, () => DenseNets.Gradients(net, x, c, g));
        var plain = Run(0, () => DenseNets.Gradients(net, x, c, g));
        for (var i = 0; i < plain.Length; i++)
        {
            var expected = plain[i].isfinite().data<bool>().ToArray();
            foreach (var found in new[] { kernel[i], wide[i] })
            {
                // a masked weight of 0 makes NaN of what it must not see in plain operations; the kernel passes most of those by
                var finite = found.isfinite().data<bool>().ToArray();
                if (net is Made) finite.Zip(expected).Should().OnlyContain(p => p.First || !p.Second);
                else finite.Should().Equal(expected);
            }
        }
        foreach (var found in new[] { kernel[0], wide[0], plain[0] })
            foreach (var row in new[] { 1, 2, 3, 5 }) found[row].isfinite().all().item<bool>().Should().BeFalse();
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Columns_of_a_wider_matrix_are_taken_as_they_are(string kind)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var net = DenseNets.Create(kind, 17, 3);
        var (x, c, _) = DenseNets.Tensors(net, 20);
        var expected = net.call(x, c).data<float>().ToArray();
        var wide = cat([randn(20, 4), x, randn(20, 2)], 1);
        net.call(wide.narrow(1, 4, x.shape[1]), c).data<float>().ToArray().Should().Equal(expected);
        net.call(x.t().contiguous().t(), c!.t().contiguous().t()).data<float>().ToArray().Should().Equal(expected);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void No_rows_give_no_rows(string kind)
    {
        using var scope = NewDisposeScope();
        using var net = DenseNets.Create(kind, 17, 0);
        var x = zeros(0, net is Made ? 6 : 5).requires_grad_();
        var y = net.call(x, null);
        y.shape.Should().Equal(0, DenseNets.Outputs(net));
        y.sum().backward();
        x.grad!.shape.Should().Equal(x.shape);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void What_requires_no_gradient_gets_none_and_changes_no_other(string kind)
    {
        using var scope = NewDisposeScope();
        using var net = DenseNets.Create(kind, 17, 3);
        var (x, c, g) = DenseNets.Tensors(net, 40);
        var all = DenseNets.Gradients(net, x, c, g);
        var parameters = net.named_parameters().Select(p => p.parameter).ToArray();
        for (var frozen = 0; frozen < parameters.Length; frozen++)
        {
            for (var i = 0; i < parameters.Length; i++) parameters[i].requires_grad = i != frozen;
            net.zero_grad();
            net.call(x, c).backward([g]);
            for (var i = 0; i < parameters.Length; i++)
            {
                if (i == frozen) parameters[i].grad.Should().BeNull();
                else parameters[i].grad!.data<float>().ToArray().Should().Equal(all[3 + i].data<float>().ToArray());
                parameters[i].grad = null;
            }
        }
        foreach (var parameter in parameters) parameter.requires_grad = false;
        var input = x.detach().requires_grad_();
        net.call(input, c).backward([g]);
        input.grad!.data<float>().ToArray().Should().Equal(all[1].data<float>().ToArray());
        foreach (var parameter in parameters) parameter.requires_grad = true;
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Gradients_of_gradients_are_those_of_plain_operations(string kind)
    {
        using var scope = NewDisposeScope();
        using var net = DenseNets.Create(kind, 17, 3);
        var (x, c, g) = DenseNets.Tensors(net, 20);
        Tensor[] Second()
        {
            net.zero_grad();
            var (input, given, upstream) = (x.detach().requires_grad_(), c!.detach().requires_grad_(), g.detach().requires_grad_());
            var first = autograd.grad([net.call(input, given)], [input, given], [upstream], retain_graph: true, create_graph: true);
            first.Select(t => t.pow(2).sum()).Aggregate((a, b) => a + b).backward();
            // a bias has no second derivative: none and zeros are the same
            return [.. new[] { upstream }.Concat(net.parameters()).Select(t => t.grad is { } gradient ? gradient.clone()
                : zeros_like(t).detach())];
        }
        var kernel = Run(8, Second);
        var plain = Run(0, Second);
        DenseNets.Difference(kernel, plain).Should().BeLessThan(2e-6);
    }

    [Fact]
    public void The_kernel_serves_float32_on_the_cpu_and_leaves_the_rest()
    {
        using var scope = NewDisposeScope();
        var program = new DenseProgram(2, [4, 3], 0);
        List<Tensor> All(ScalarType type) => [zeros(5, 2, type), zeros(4, 2, type), zeros(4, type), zeros(3, 4, type), zeros(3, type)];
        var all = All(ScalarType.Float32);
        bool Serves() => DenseNetwork.CanRun(program, all, false);
        Serves().Should().Be(LaneWidth.ServesProducts);
        Run(0, () => { Serves().Should().BeFalse(); return Array.Empty<Tensor>(); });
        all[1] = zeros(2, 4).t();
        Serves().Should().BeFalse("a weight is not contiguous");
        all = All(ScalarType.Float64);
        Serves().Should().BeFalse("the numbers are float64");
        all = All(ScalarType.Float32);
        all[0] = zeros(5, 3);
        Serves().Should().BeFalse("the input is too wide");
        DenseNetwork.CanRun(new DenseProgram(2, [DenseNetwork.MostInputs + 1, 3], 0), All(ScalarType.Float32), false).Should()
            .BeFalse("the network is too wide");
    }

    public static TheoryData<string> Kinds() => [.. DenseNets.Kinds];

    private static Tensor[] Run(int lanes, Func<Tensor[]> action)
    {
        var (before, on) = (LaneWidth.Bits, KernelSwitches.Dense);
        (LaneWidth.Bits, KernelSwitches.Dense) = (lanes == 0 ? before : 32 * lanes, lanes > 0);
        try { return action(); }
        finally { (LaneWidth.Bits, KernelSwitches.Dense) = (before, on); }
    }
}
