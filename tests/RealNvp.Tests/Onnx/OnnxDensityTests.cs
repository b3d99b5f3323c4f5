using RealNvp.Onnx;
using RealNvp.Tests.Densities;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Onnx;

/// <summary>Each density as a graph in OnnxRuntime.</summary>
public class OnnxDensityTests
{
    public static TheoryData<string> Densities => DensityTable.Names;

    [Theory, MemberData(nameof(Densities))]
    public void Every_density_computes_in_OnnxRuntime_what_it_computes_here(string name)
    {
        var row = DensityTable.Find(name);
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        manual_seed(1);
        using var density = row.Make();
        RandomWeights.Draw(density, 2);
        row.Settle(density);
        density.eval();
        var z = randn(7, 2).mul(2);
        if (row.IsOnCircle) z[TensorIndex.Slice(0, 5)] = z[TensorIndex.Slice(0, 5)].div(z[TensorIndex.Slice(0, 5)].norm(1, keepdim: true));
        z[6] = tensor([1e4f, -1e4f]);
        var context = density.ContextSize > 0 ? randn(7, density.ContextSize) : null;
        var graph = new OnnxGraph("density");
        var value = graph.Input("z", [2]);
        graph.AddOutput("log_prob", density.ToOnnx(value, context is null ? null : graph.Input("context", [density.ContextSize]))
            .Expand([-1, 1], value));
        using var session = new OnnxSession(graph);
        var result = session.Run(("z", z), ("context", context))["log_prob"];
        var own = density.LogProb(z, context);
        density.to(float64);
        OnnxGaps.Of("log_prob", result, own, density.LogProb(z.to(float64), context?.to(float64))).Should().BeNull();
    }
}
