using System.Reflection;
using RealNvp.Describing;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Describing;

/// <summary><see cref="Flow.Summary"/>: what a flow does with rows, layer by layer.</summary>
[LeavesNoTensors]
public class FlowSummaryTests
{
    [Theory]
    [MemberData(nameof(PresetTable.OneOfEach), MemberType = typeof(PresetTable))]
    public void Log_dets_of_the_layers_are_those_of_the_flow(string name)
    {
        var options = PresetTable.All[name];
        using var flow = PresetTable.Create(name);
        using var x = PresetTable.Examples(options, 5);
        using var context = PresetTable.Context(options, 5);
        var summary = flow.Summary(x, context);
        using var logProb = flow.LogProb(x, context, seed: 0);
        using var mean = logProb.mean();
        Assert.Equal(mean.item<double>(), summary.MeanLogProb!.Value, 1e-9 * (1 + Math.Abs(mean.item<double>())));
        var top = summary.Layers[0];
        Assert.True(top.IsComposite);
        Assert.Equal(0, top.Depth);
        Assert.Equal(flow.Bijection.parameters().Sum(p => p.numel()), top.Parameters);
        // each composite is the sum of what is right below it
        for (var i = 0; i < summary.Layers.Count; i++)
        {
            var layer = summary.Layers[i];
            if (!layer.IsComposite || layer.Type is nameof(InvertedLayer)) continue;
            var below = summary.Layers.Skip(i + 1).TakeWhile(l => l.Depth > layer.Depth).Where(l => l.Depth == layer.Depth + 1).ToArray();
            Assert.Equal(layer.MeanLogDet!.Value, below.Sum(l => l.MeanLogDet!.Value),
                1e-9 * (1 + below.Sum(l => Math.Abs(l.MeanLogDet!.Value))));
        }
        Assert.Equal(1, summary.Layers.Where(l => !l.IsComposite).Sum(l => l.LogDetShare!.Value), 1e-9);
        Assert.Equal(5, summary.RowCount);
        var keys = flow.state_dict().Keys.ToArray();
        foreach (var layer in summary.Layers.Where(l => l.Parameters > 0))
            Assert.Contains(keys, k => k.StartsWith(layer.Path + ".", StringComparison.Ordinal));
    }

    [Fact]
    public void Without_rows_it_takes_samples_of_the_flow_and_leaves_torchs_generator_alone()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Toy2D, seed: 1);
        using var before = get_rng_state();
        var summary = flow.Summary();
        using var after = get_rng_state();
        Assert.True(before.Equals(after) || before.equal(after).item<bool>());
        Assert.Equal(64, summary.RowCount);
        Assert.Contains("samples of the flow", summary.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_conditional_flow_without_rows_has_no_log_dets_and_says_what_to_give()
    {
        using var flow = new MafModel(MafOptions.Tabular(3) with { ContextSize = 2, Hidden = 8, Layers = 2 });
        var summary = flow.Summary();
        Assert.Null(summary.MeanLogProb);
        Assert.All(summary.Layers, l => Assert.Null(l.MeanLogDet));
        Assert.Contains("Give rows and contexts", summary.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("share", summary.ToString(), StringComparison.Ordinal);
        Assert.Contains("samples (Sample, Decode) take many: a step for each of the 3 elements", summary.ToString(),
            StringComparison.Ordinal);
        using var context = zeros(3, 2);
        Assert.Throws<ArgumentException>(() => flow.Summary(context: context));
    }

    [Fact]
    public void A_continuous_flow_takes_one_pass_in_no_direction()
    {
        using var flow = new FfjordModel(FfjordOptions.Matching2D with { Hidden = 8 });
        var summary = flow.Summary();
        Assert.False(summary.HasFastDensity || summary.HasFastSampling);
        Assert.Contains("take many passes: the steps of a solver", summary.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Memory_grows_with_the_batch_and_holds_the_weights()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Toy2D);
        var summary = flow.Summary();
        var (one, many) = (summary.MemoryAt(1), summary.MemoryAt(1000));
        Assert.Equal(flow.parameters().Concat(flow.buffers()).Sum(p => p.numel() * p.ElementSize), one.Weights);
        Assert.Equal(4 * flow.parameters().Sum(p => p.numel() * 4), one.TrainingState);
        Assert.Equal(1000 * one.Graph, many.Graph);
        // 8 networks of two hidden layers of 64 keep at least so many numbers
        Assert.True(many.Graph >= 1000L * 8 * 3 * 64 * 4, many.ToString());
        Assert.Throws<ArgumentOutOfRangeException>(() => summary.MemoryAt(0));
    }

    [Fact]
    public void Html_escapes_what_layers_say()
    {
        using var flow = new Flow([2], new Chain(new Angry(), new DiagonalScaling([2])));
        var html = flow.Summary().ToHtml();
        Assert.Contains("&lt;b&gt;", html, StringComparison.Ordinal);
        Assert.DoesNotContain("<b>", html, StringComparison.Ordinal);
        Assert.StartsWith("<table", html, StringComparison.Ordinal);
        System.Xml.Linq.XDocument.Parse($"<div>{html}</div>");
    }

    [Fact]
    public void A_notebook_finds_the_formatter_by_names_alone()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Toy2D);
        Assert.Contains("<pre>RealNvpModel (2,)", Shown(flow), StringComparison.Ordinal);
        Assert.Contains("<pre>Chain (2,)", Shown(flow.Bijection), StringComparison.Ordinal);
        Assert.StartsWith("<table", Shown(flow.Summary()), StringComparison.Ordinal);
    }

    [Fact]
    public void A_disposed_flow_has_no_summary()
    {
        var flow = new RealNvpModel(RealNvpOptions.Toy2D);
        flow.Dispose();
        Assert.Throws<ObjectDisposedException>(() => flow.Summary());
    }

    // as .NET Interactive does it
    private static string Shown(object instance)
    {
        var attribute = instance.GetType().GetCustomAttributes(inherit: true)
            .Single(a => a.GetType().Name == "TypeFormatterSourceAttribute");
        var source = Activator.CreateInstance((Type)attribute.GetType().GetProperty("FormatterSourceType")!.GetValue(attribute)!)!;
        var formatters = (IEnumerable<object>)source.GetType().GetMethod("CreateTypeFormatters")!.Invoke(source, null)!;
        var formatter = formatters.Single(f => (string)f.GetType().GetProperty("MimeType")!.GetValue(f)! == "text/html");
        using var writer = new StringWriter();
        Assert.True((bool)formatter.GetType().GetMethod("Format")!.Invoke(formatter, [instance, writer])!);
        return writer.ToString();
    }

    private sealed class Angry() : Bijection("Angry", [2]), IDescribed
    {
        public string Description => "<b>&</b>";

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => (x, null);

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (z, null);
    }
}
