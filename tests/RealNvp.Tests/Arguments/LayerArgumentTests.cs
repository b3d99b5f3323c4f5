using RealNvp.Internal;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Arguments;

/// <summary>What layers that are called alone, and flows, do with numbers that are none.</summary>
[LeavesNoTensors]
public class LayerArgumentTests
{
    public static TheoryData<string> Layers => [.. LayerTable.All.Select(l => l.Name)];

    [Theory, MemberData(nameof(Layers))]
    public void A_layer_that_cannot_compute_with_NaN_or_infinity_refuses_them_by_name(string name)
    {
        using var scope = NewDisposeScope();
        var row = LayerTable.All.Single(l => l.Name == name);
        using var layer = row.Make();
        var x = row.Sample?.Invoke().narrow(0, 0, 2).to(float32) ?? zeros(row.Shape.WithBatch(2)).add(0.5);
        var context = layer.ContextSize > 0 ? zeros(2, layer.ContextSize) : null;
        var z = layer.Forward(x, context).Value.detach();
        foreach (var wrong in new[] { float.NaN, float.PositiveInfinity })
        {
            Calls(() => layer.Forward(full_like(x, wrong), context));
            Calls(() => layer.Inverse(full_like(z, wrong), context));
            if (context is null) continue;
            Calls(() => layer.Forward(x, full_like(context, wrong)));
            Calls(() => layer.Inverse(z, full_like(context, wrong)));
        }

        // NaN for NaN is an answer too
        static void Calls(Action call)
        {
            try { call(); }
            catch (ArgumentException) { }
            catch (NoInverseException e) { Assert.Fail(e.ToString()); }
        }
    }

    [Theory, InlineData(false), InlineData(true)]
    public void An_equation_behind_a_layer_that_overflows_is_not_blamed(bool inverse)
    {
        using var scope = NewDisposeScope();
        var overflow = new DiagonalScaling([2]);
        using (no_grad()) foreach (var weight in overflow.parameters()) weight.fill_(80);
        var equation = new ContinuousLayer(new TimeMlp([2], hidden: 4), [2]);
        using var flow = new Flow([2], inverse ? new Chain(equation, new InvertedLayer(overflow)) : new Chain(overflow, equation));
        var run = () => inverse ? flow.Decode(full(3, 2, 1e30f)) : flow.Encode(full(3, 2, 1e30f));
        run.Should().Throw<OdeException>().Which.Message.Should().Contain("NaN or infinite already").And.Contain("layers before it");
    }
}
