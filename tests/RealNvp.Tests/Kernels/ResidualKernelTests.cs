using RealNvp.Kernels;
using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

/// <summary>A residual block as one kernel against the layer in plain operations.</summary>
[LeavesNoTensors]
public class ResidualKernelTests
{
    [Theory]
    [InlineData(1), InlineData(2), InlineData(3), InlineData(4), InlineData(5), InlineData(6), InlineData(7), InlineData(8), InlineData(9)]
    public void Values_log_determinants_gradients_and_inverses_are_those_of_plain_operations(int seed)
    {
        using var scope = NewDisposeScope();
        var random = new Random(seed);
        for (var trial = 0; trial < 3; trial++)
        {
            var (layer, x, context, name) = Case(random, float64);
            using var owned = layer;
            Compare(layer, x, context, 1e-9, name);
            // a pass in training, from vectors that are near
            layer.train();
            using (KernelSwitch.Set(false, nameof(KernelSwitches.Residual)))
            using (no_grad()) layer.Forward(x, context);
            Compare(layer, x, context, 1e-9, name + ", training");
            layer.eval();
            layer.to(float32);
            Compare(layer, x.to(float32), context?.to(float32), 2e-3, name + ", float32");
        }
    }

    [Theory]
    [InlineData(512), InlineData(256), InlineData(128), InlineData(0)]
    public void Every_width_of_vectors_gives_the_numbers_of_float64(int bits)
    {
        using var scope = NewDisposeScope();
        var before = LaneWidth.Bits;
        try
        {
            foreach (var kind in Enum.GetValues<ActivationKind>())
            {
                using var layer = Layer(3, 21, 2, kind, context: 2);
                using var twin = Layer(3, 21, 2, kind, context: 2);
                twin.load_state_dict(layer.state_dict());
                twin.to(float64);
                var (x, context) = (randn(70, 3).mul(2), randn(70, 2));
                using var _ = KernelSwitch.Set(false, nameof(KernelSwitches.Residual));
                var expected = Results(twin, x.to(float64), context.to(float64));
                using var on = KernelSwitch.Set(true, nameof(KernelSwitches.Residual));
                LaneWidth.Bits = bits;
                foreach (var (exact, one) in new[] { (twin, 1e-10), (layer, 1e-4) }.Select(t => t))
                {
                    var dtype = exact.parameters().First().dtype;
                    Near(Results(exact, x.to(dtype), context.to(dtype)), expected, one, $"{kind}, {dtype}");
                }
                LaneWidth.Bits = before;
            }
        }
        finally { LaneWidth.Bits = before; }
    }

    [Fact]
    public void A_row_has_the_same_bits_alone_and_among_others_and_on_one_thread_or_two()
    {
        using var scope = NewDisposeScope();
        using var layer = Layer(2, 130, 3, ActivationKind.LipSwish, context: 0);
        var x = randn(900, 2);
        var threads = get_num_threads();
        try
        {
            set_num_threads(1);
            var one = Results(layer, x, null);
            set_num_threads(2);
            var two = Results(layer, x, null);
            foreach (var (a, b) in one.Zip(two)) KernelResults.Same(a, b).Should().BeTrue();
            using var gradients = no_grad();
            var (alone, logDet) = layer.Forward(x.narrow(0, 317, 1));
            KernelResults.Same(alone, one[0].narrow(0, 317, 1)).Should().BeTrue();
            KernelResults.Same(logDet, one[1].narrow(0, 317, 1)).Should().BeTrue();
            var (back, _) = layer.Inverse(one[0]);
            var (backAlone, _) = layer.Inverse(one[0].narrow(0, 317, 1));
            KernelResults.Same(backAlone, back.narrow(0, 317, 1)).Should().BeTrue();
        }
        finally { set_num_threads(threads); }
    }

    [Theory, InlineData(1), InlineData(2), InlineData(5)]
    public void Gradients_of_gradients_are_those_of_plain_operations(long features)
    {
        using var scope = NewDisposeScope();
        using var layer = Layer(features, 9, 2, ActivationKind.LipSwish, context: 0);
        layer.to(float64);
        layer.eval();
        var x = randn([6, features], dtype: float64);
        var results = new List<Tensor>();
        foreach (var on in new[] { true, false })
        {
            using var _ = KernelSwitch.Set(on, nameof(KernelSwitches.Residual));
            foreach (var parameter in layer.parameters()) parameter.grad = null;
            var leaf = x.clone().requires_grad_();
            var (z, logDet) = layer.Forward(leaf);
            var first = autograd.grad([z.square().sum().add(logDet.sum())], [leaf], retain_graph: true, create_graph: true)[0];
            first.square().sum().backward();
            results.Add(cat([leaf.grad!.flatten(), .. layer.parameters().Where(p => p.grad is not null).Select(p => p.grad!.flatten())]));
        }
        KernelResults.ApartOfLargest(results[0], results[1]).Should().BeLessThan(1e-10);
    }

    [Fact]
    public void What_is_not_finite_stays_in_its_row_and_the_inverse_refuses_it_by_row()
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var layer = Layer(2, 20, 1, ActivationKind.LipSwish, context: 0);
        var x = randn(40, 2);
        var (good, goodLog) = layer.Forward(x);
        x[7, 0] = float.NaN;
        x[8, 1] = float.PositiveInfinity;
        var (z, logDet) = layer.Forward(x);
        for (var row = 0; row < 40; row++)
        {
            var isGood = row is not 7 and not 8;
            (KernelResults.Same(z[row], good[row]) && KernelResults.Same(logDet[row], goodLog[row])).Should().Be(isGood);
        }
        z[7].isfinite().all().item<bool>().Should().BeFalse();
        z[8].isfinite().all().item<bool>().Should().BeFalse();
        var search = () => layer.Inverse(z);
        search.Should().Throw<ArgumentException>().WithMessage("*expects finite values*They are in rows 7, 8.*");
    }

    [Theory, InlineData(3), InlineData(16)]
    public void Small_determinants_and_inverses_are_those_of_a_library(int d)
    {
        using var scope = NewDisposeScope();
        for (var trial = 0; trial < 20; trial++)
        {
            var jacobian = randn([d, d], dtype: float64).mul(trial < 10 ? 0.3 : 3);
            var whole = jacobian + eye(d, dtype: float64);
            var numbers = jacobian.data<double>().ToArray();
            double[] matrix = [.. numbers], inverse = new double[d * d];
            unsafe
            {
                fixed (double* values = matrix, result = inverse)
                {
                    ResidualDeterminant.Log(values, d).Should().BeApproximately(linalg.slogdet(whole).Item2.item<double>(), 1e-10);
                    numbers.CopyTo(matrix, 0);
                    ResidualDeterminant.Inverse(values, d, result);
                }
            }
            KernelResults.ApartOfLargest(tensor(inverse).reshape(d, d), linalg.inv(whole)).Should().BeLessThan(1e-8);
        }
    }

    private static void Compare(ResidualLayer layer, Tensor x, Tensor? context, double allowed, string name)
    {
        var state = layer.state_dict().ToDictionary(p => p.Key, p => p.Value.clone());
        using var off = KernelSwitch.Set(false, nameof(KernelSwitches.Residual));
        var plain = Results(layer, x, context);
        layer.load_state_dict(state);
        using var on = KernelSwitch.Set(true, nameof(KernelSwitches.Residual));
        var fast = Results(layer, x, context);
        Near(fast, plain, allowed, name);
        using var gradients = no_grad();
        // in training the weights of a pass are those of its step of power iteration
        if (layer.training) return;
        var (back, logDet) = layer.Inverse(plain[0], context);
        var residual = layer.Forward(back, context).Value.sub(plain[0]).abs().max().to(float64).item<double>();
        var largest = Math.Max(plain[0].abs().max().to(float64).item<double>(), back.abs().max().to(float64).item<double>());
        residual.Should().BeLessThanOrEqualTo(Math.Max(x.dtype == float64 ? 2e-12 : 2e-6, largest * (x.dtype == float64 ? 2e-15 : 1e-6)),
            name);
        Near([logDet], [plain[1].neg()], 10 * allowed, name);
        // values alone are the same values
        using var values = RealNvp.Layers.PassState.WantLogDets(false);
        KernelResults.ApartOfLargest(layer.Forward(x, context).Value, fast[0]).Should().BeLessThan(1e-6, name);
    }

    // z and log-determinant, and the gradients of a sum of both with fixed weights
    private static List<Tensor> Results(ResidualLayer layer, Tensor x, Tensor? context)
    {
        foreach (var parameter in layer.parameters()) parameter.grad = null;
        var (leaf, given) = (x.detach().clone().requires_grad_(), context?.detach().clone().requires_grad_());
        var (z, logDet) = layer.Forward(leaf, given);
        using var generator = new Generator(4);
        var (w, v) = (randn(z.shape, dtype: float64, generator: generator).to(z.dtype),
            randn(logDet.shape, dtype: float64, generator: generator).to(z.dtype));
        z.mul(w).sum().add(logDet.mul(v).sum()).backward();
        return [z.detach(), logDet.detach(), leaf.grad!, .. given is null ? (Tensor[])[] : [given.grad!],
            .. layer.parameters().Select(p => p.grad!.clone())];
    }

    private static void Near(List<Tensor> fast, List<Tensor> plain, double allowed, string name)
    {
        fast.Count.Should().Be(plain.Count, name);
        for (var i = 0; i < fast.Count; i++)
            KernelResults.ApartOfMeanSquare(fast[i], plain[i], 1e-3).Should().BeLessThan(allowed,
                $"{name}, result {i} of {fast[i].numel()}");
    }

    private static (ResidualLayer Layer, Tensor X, Tensor? Context, string Name) Case(Random random, ScalarType dtype)
    {
        long[] features = [1, 2, 3, 5, 16];
        var (d, rows, hidden) = (features[random.Next(features.Length)], random.Next(1, 130), random.Next(1, 70));
        var (kind, context, norm) = ((ActivationKind)random.Next(3), random.Next(2) * 2, random.Next(4) == 0 ? 1.0 : 2.0);
        if (kind == ActivationKind.CLipSwish) norm = 2;
        var (limit, activates, layers) = (random.Next(2) == 0 ? (double?)null : 1.5, random.Next(3) > 0, random.Next(1, 5));
        var name = $"{rows} rows of {d}, {layers} × {hidden}, {kind}, context {context}, norm {norm}, limit {limit}, {activates}";
        var layer = Layer(d, hidden, layers, kind, context, norm, limit, activates);
        layer.to(dtype);
        return (layer, randn([rows, d], dtype: dtype).mul(2), context > 0 ? randn([rows, context], dtype: dtype) : null, name);
    }

    private static ResidualLayer Layer(long d, long hidden, int layers, ActivationKind kind, long context, double norm = 2,
        double? limit = null, bool activates = true)
    {
        var layer = new ResidualLayer([d], new LipschitzMlp(d, d, hidden, layers, kind, 0.9, context, activates, zero: false, norm, limit));
        using (no_grad())
            // some weights are normalized, and some stay as they are
            foreach (var (parameter, i) in layer.parameters().Select((p, i) => (p, i)))
                if (parameter.dim() > 1) parameter.mul_(i % 2 == 0 ? 2 : 0.5);
        layer.eval();
        return layer;
    }
}
