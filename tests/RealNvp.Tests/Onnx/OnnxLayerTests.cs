using RealNvp.Internal;
using RealNvp.Layers;
using RealNvp.Onnx;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Onnx;

/// <summary>Each row of the table of layers as a graph in OnnxRuntime, both ways, against the library.</summary>
public class OnnxLayerTests
{
    private const int Rows = 6;

    public static TheoryData<string> Layers => LayerTable.Names;

    [Fact]
    public void What_has_no_graph_is_what_the_guide_says()
    {
        OnnxRefusals.OfGuide().Should().BeEquivalentTo(OnnxRefusals.Layers);
        // no row of the list that nothing is refused for
        var refused = LayerTable.All.Select(row => { using var layer = row.Make(); return OnnxRefusals.Of(layer); }).OfType<string>();
        refused.Distinct().Should().BeEquivalentTo(OnnxRefusals.Layers.Keys);
    }

    [Theory, MemberData(nameof(Layers))]
    public void Every_layer_computes_in_OnnxRuntime_what_it_computes_here(string name)
    {
        var row = LayerTable.Find(name);
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        manual_seed(1);
        using var layer = row.Make();
        RandomWeights.Draw(layer, 2, 0.3 * row.FarSpread);
        layer.eval();
        using var generator = new Generator(3);
        var x = (row.Sample?.Invoke() ?? Examples(row, generator)).to(float32);
        var context = layer.ContextSize > 0 ? randn(x.shape[0], layer.ContextSize, generator: generator) : null;
        var z = Apply(layer, x, context, inverse: false).Value;
        var faults = new List<string?>();
        foreach (var inverse in new[] { false, true })
        {
            if (OnnxRefusals.Of(layer) is { } refusal)
            {
                var export = () => Graph(layer, inverse ? z : x, inverse);
                export.Should().Throw<OnnxExportException>().Which.Part!.GetType().Name.Should().Be(refusal);
                continue;
            }
            faults.AddRange(Compare(layer, inverse ? z : x, context, inverse));
        }
        faults.OfType<string>().Should().BeEmpty();
    }

    [Theory, InlineData("affine, halves, context"), InlineData("spline, circles and the line, context"), InlineData("Sylvester"),
        InlineData("autoregressive, mixture of logistics, context"), InlineData("linear, Qr, image"), InlineData("asinh")]
    public void A_layer_computes_in_float64_too(string name) => CheckFloat64(name);

    [SlowTheory, MemberData(nameof(Layers))]
    public void Every_layer_without_convolutions_computes_in_float64_too(string name) => CheckFloat64(name);

    private static void CheckFloat64(string name)
    {
        var row = LayerTable.Find(name);
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        manual_seed(1);
        using var layer = row.Make();
        RandomWeights.Draw(layer, 2, 0.3 * row.FarSpread);
        layer.to(float64);
        layer.eval();
        using var generator = new Generator(3);
        var x = (row.Sample?.Invoke() ?? Examples(row, generator)).to(float64);
        var context = layer.ContextSize > 0 ? randn(x.shape[0], layer.ContextSize, dtype: float64, generator: generator) : null;
        var z = Apply(layer, x, context, inverse: false).Value;
        foreach (var inverse in new[] { false, true })
        {
            if (OnnxRefusals.Of(layer) is not null || layer.IsStochastic) continue;
            OnnxGraph graph;
            try { graph = Graph(layer, inverse ? z : x, inverse, float64); }
            catch (OnnxExportException e)
            {
                e.Message.Should().Contain("convolutions", "nothing else is missing in float64");
                continue;
            }
            using var session = new OnnxSession(graph);
            var results = session.Run(("input", inverse ? z : x), ("context", context));
            var (value, logDet) = Apply(layer, inverse ? z : x, context, inverse);
            Gap(results["value"], value).Should().BeLessThan(1e-9);
            Gap(results["log_det"], logDet).Should().BeLessThan(1e-9);
        }
    }

    private static double Gap(Tensor a, Tensor b) =>
        a.flatten().sub(b.flatten()).abs().div(b.flatten().abs().add(1)).max().item<double>();

    private static IEnumerable<string?> Compare(Bijection layer, Tensor input, Tensor? context, bool inverse)
    {
        using var session = new OnnxSession(Graph(layer, input, inverse));
        using var random = PassState.Seed(5);
        var noise = Noise.Uniform(input.shape, float32, CPU, PassState.Current?.Generator);
        var results = session.Run(("input", input), ("context", context), ("noise", noise));
        var (value, logDet) = Apply(layer, input, context, inverse);
        layer.to(float64);
        var (preciseValue, preciseLogDet) = Apply(layer, input.to(float64), context?.to(float64), inverse, noise.to(float64));
        layer.to(float32);
        var way = inverse ? "inverse" : "forward";
        yield return OnnxGaps.Of($"{way} value", results["value"], value, preciseValue);
        yield return OnnxGaps.Of($"{way} log-det", results["log_det"], logDet, preciseLogDet);
    }

    private static (Tensor Value, Tensor LogDet) Apply(Bijection layer, Tensor input, Tensor? context, bool inverse, Tensor? noise = null)
    {
        using var random = PassState.Seed(5);
        var pass = Pass.Here(context);
        return inverse ? layer.Inverse(input, pass) : layer.Forward(input, pass);
    }

    private static OnnxGraph Graph(Bijection layer, Tensor input, bool inverse, ScalarType dtype = ScalarType.Float32)
    {
        var graph = new OnnxGraph("layer", dtype);
        var value = graph.Input("input", EventShape.Create(input.shape.AsSpan(1)));
        var context = layer.ContextSize > 0 ? graph.Input("context", [layer.ContextSize]) : null;
        var (result, logDet) = layer.ToOnnx(value, context, inverse);
        graph.AddOutput("value", result);
        graph.AddOutput("log_det", (logDet ?? graph.Constant(0)).Expand([-1, 1], value));
        return graph;
    }

    private static Tensor Examples(LayerCase row, Generator generator)
    {
        var (least, most) = (row.Options.Minimum, row.Options.Maximum);
        if (!double.IsFinite(least)) return randn(row.Shape.WithBatch(Rows), generator: generator).mul(1.5);
        return torch.rand(row.Shape.WithBatch(Rows), generator: generator).mul(most - least).add(least);
    }
}
