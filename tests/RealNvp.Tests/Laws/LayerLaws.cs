using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Laws;

/// <summary>The laws that every layer obeys. To add a layer is to add a row to <see cref="LayerTable"/>.</summary>
public class LayerLaws
{
    public static TheoryData<string> Layers => LayerTable.Names;

    [Fact]
    public void Every_public_bijection_is_in_the_table()
    {
        var rows = LayerTable.All.SelectMany(c => { using var layer = c.Make(); return layer.modules().Append(layer).Select(m => m.GetType()).ToArray(); }).ToHashSet();
        var layers = typeof(Bijection).Assembly.GetExportedTypes().Where(t => t.IsSubclassOf(typeof(Bijection)) && !t.IsAbstract);
        layers.Should().OnlyContain(t => rows.Contains(t), "a layer that is missing from the table is not proved");
    }

    [Theory, MemberData(nameof(Layers))]
    public void Log_det_is_that_of_the_jacobian(string name)
    {
        using var scope = NewDisposeScope();
        var row = LayerTable.Find(name);
        using var layer = row.Create();
        using var single = row.Create();
        single.to(float32);
        var x = row.Input(3);
        var context = LayerCase.Context(layer, 3);
        var (z, logDet) = Seeded(() => layer.Forward(x, context));
        var logDet32 = Seeded(() => single.Forward(x.to(float32), context?.to(float32))).LogDet;
        for (var i = 0; i < 3; i++)
        {
            Tensor Map(Tensor batch) => Seeded(() => layer.Forward(batch, Repeat(context, i, batch))).Value;
            var autograd = Jacobians.Autograd(Map, x[i]);
            logDet[i].item<double>().Should().BeApproximately(autograd, 1e-9, "that is autograd's log-det at example {0}", i);
            logDet[i].item<double>().Should().BeApproximately(Jacobians.Numerical(Map, x[i]), 1e-9, "that is the numerical log-det at example {0}", i);
            ((double)logDet32[i].item<float>()).Should().BeApproximately(autograd, 1e-4, "float32 comes close at example {0}", i);
            if (row.IsRandom) continue;
            Tensor Back(Tensor batch) => layer.Inverse(batch, Repeat(context, i, batch)).Value;
            var inverse = layer.Inverse(z, context).LogDet[i].item<double>();
            inverse.Should().BeApproximately(Jacobians.Autograd(Back, z[i].detach()), 1e-9, "that is autograd's log-det of the inverse");
            inverse.Should().BeApproximately(Jacobians.Numerical(Back, z[i].detach()), 1e-9, "that is the numerical log-det of the inverse");
        }
    }

    [Theory, MemberData(nameof(Layers))]
    public void Inverse_undoes_forward_both_ways(string name)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var row = LayerTable.Find(name);
        foreach (var (dtype, tolerance) in new[] { (float64, 1e-10), (float32, 1e-4) })
        {
            using var layer = row.Create();
            layer.to(dtype);
            var x = row.Input(5).to(dtype);
            var context = LayerCase.Context(layer, 5)?.to(dtype);
            var (z, forward) = layer.Forward(x, context);
            var (back, inverse) = layer.Inverse(z, context);
            Difference(back, x).Should().BeLessThanOrEqualTo(tolerance);
            Difference(forward, inverse.neg()).Should().BeLessThanOrEqualTo(dtype == float64 ? 1e-10 : 1e-4);
            if (row.IsRandom) continue;
            Difference(layer.Forward(back, context).Value, z).Should().BeLessThanOrEqualTo(tolerance);
            z.dtype.Should().Be(dtype);
            forward.dtype.Should().Be(dtype);
        }
    }

    [Theory, MemberData(nameof(Layers))]
    public void Batches_of_any_size_give_one_log_det_an_example(string name)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var row = LayerTable.Find(name);
        using var layer = row.Create();
        var all = row.Input(4);
        var context = LayerCase.Context(layer, 4);
        foreach (var n in new[] { 0L, 1L })
        {
            var (value, logDet) = layer.Forward(all.narrow(0, 1, n), context?.narrow(0, 1, n));
            value.shape.Should().Equal(layer.OutputShapeOf(row.Shape).WithBatch(n));
            logDet.shape.Should().Equal(n);
            layer.Inverse(value, context?.narrow(0, 1, n)).Value.shape.Should().Equal(row.Shape.WithBatch(n));
        }
        if (row.IsRandom) return;
        var whole = layer.Forward(all, context);
        var one = layer.Forward(all.narrow(0, 1, 1), context?.narrow(0, 1, 1));
        Difference(one.Value[0], whole.Value[1]).Should().BeLessThan(1e-12, "examples do not influence each other");
        Difference(one.LogDet[0], whole.LogDet[1]).Should().BeLessThan(1e-12);
    }

    [Theory, MemberData(nameof(Layers))]
    public void Every_parameter_gets_a_finite_gradient_and_context_matters(string name)
    {
        using var scope = NewDisposeScope();
        var row = LayerTable.Find(name);
        using var layer = row.Create();
        layer.train();
        var x = row.Input(6);
        var context = LayerCase.Context(layer, 6);
        var (z, logDet) = layer.Forward(x, context);
        if (layer.parameters().Any())
        {
            z.mul(z).sum().add(logDet.sum()).backward();
            foreach (var (key, parameter) in layer.named_parameters())
            {
                (parameter.grad is not null).Should().BeTrue("{0} takes part", key);
                parameter.grad!.isfinite().all().item<bool>().Should().BeTrue("the gradient of {0} is finite", key);
            }
        }
        if (context is null) return;
        layer.eval();
        Difference(layer.Forward(x, context).Value, layer.Forward(x, context.add(1)).Value).Should().BeGreaterThan(1e-6);
    }

    [Theory, MemberData(nameof(Layers))]
    public void A_new_layer_with_zero_ended_networks_is_the_identity_or_a_fixed_map(string name)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var row = LayerTable.Find(name);
        using var layer = row.Make();
        if (layer is not CouplingLayer || name.Contains("any module", StringComparison.Ordinal)) return;
        layer.eval();
        var x = row.Input(2).to(float32);
        var (z, logDet) = layer.Forward(x, LayerCase.Context(layer, 2)?.to(float32));
        Difference(z, x).Should().Be(0);
        logDet.abs().max().item<float>().Should().Be(0);
    }

    [Theory, MemberData(nameof(Layers))]
    public void Strided_inputs_give_the_same_and_no_input_changes(string name)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var row = LayerTable.Find(name);
        using var layer = row.Create();
        var x = row.Input(4);
        var context = LayerCase.Context(layer, 4);
        var strided = stack([x, x.add(1)], -1).select(-1, 0);
        var before = strided.clone();
        var (plain, plainDet) = Seeded(() => layer.Forward(x, context));
        var (other, otherDet) = Seeded(() => layer.Forward(strided, context));
        Difference(plain, other).Should().BeLessThan(1e-13);
        Difference(plainDet, otherDet).Should().BeLessThan(1e-12);
        strided.equal(before).all().item<bool>().Should().BeTrue();
        if (row.IsRandom) return;
        Difference(layer.Inverse(plain, context).Value, layer.Inverse(stack([plain, plain], -1).select(-1, 1), context).Value).Should().BeLessThan(1e-13);
    }

    [Theory, MemberData(nameof(Layers))]
    public void No_tensor_is_left_alive(string name)
    {
        var row = LayerTable.Find(name);
        using var outer = NewDisposeScope();
        using var layer = row.Create();
        var x = row.Input(4);
        var context = LayerCase.Context(layer, 4);
        var z = layer.Forward(x, context).Value.detach();
        foreach (var training in new[] { false, true })
        {
            layer.train(training);
            LiveTensors.ChangeOver(() => DisposeBoth(layer.Forward(x, context))).Should().Be(0, "Forward leaves nothing (training: {0})", training);
            LiveTensors.ChangeOver(() => DisposeBoth(layer.Inverse(z, context))).Should().Be(0, "Inverse leaves nothing (training: {0})", training);
        }
    }

    [Theory, MemberData(nameof(Layers))]
    public void No_tensor_is_made_on_the_default_device(string name)
    {
        using var scope = NewDisposeScope();
        var row = LayerTable.Find(name);
        using var layer = row.Create();
        var x = row.Input(4);
        var context = LayerCase.Context(layer, 4);
        foreach (var training in new[] { false, true })
        {
            layer.train(training);
            MetaDevice.Run(() =>
            {
                var (z, forward) = layer.Forward(x, context);
                var (back, inverse) = layer.Inverse(z, context);
                foreach (var tensor in new[] { z, forward, back, inverse }) tensor.device_type.Should().Be(DeviceType.CPU);
                if (layer.parameters().Any()) z.sum().add(forward.sum()).backward();
            });
        }
    }

    private static void DisposeBoth((Tensor Value, Tensor LogDet) result)
    {
        result.Value.Dispose();
        result.LogDet.Dispose();
    }

    private static (Tensor Value, Tensor LogDet) Seeded(Func<(Tensor, Tensor)> call)
    {
        using var random = Internal.RandomSource.Use(11, CPU);
        return call();
    }

    private static Tensor? Repeat(Tensor? context, int i, Tensor batch) => context?[i].unsqueeze(0).expand(batch.shape[0], -1);

    private static double Difference(Tensor a, Tensor b)
    {
        a.shape.Should().Equal(b.shape);
        return a.numel() == 0 ? 0 : a.sub(b).abs().max().to(float64).item<double>();
    }
}
