using System.Globalization;
using RealNvp.Describing;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>What a flow is made of and what it does with data. <see cref="ToString"/> is a table
/// for logs, <see cref="ToHtml"/> one for notebooks, which show it by themselves.</summary>
[TypeFormatterSource(typeof(HtmlFormatterSource))]
public sealed class FlowSummary : IHtml
{
    private readonly GraphEstimate estimate;

    internal FlowSummary(Flow flow, LayerLogDets? logDets, string rows)
    {
        (Name, InputShape, LatentShape, ContextSize) = (flow.GetName(), flow.InputShape, flow.LatentShape, flow.ContextSize);
        (Parameters, var frozen) = ModuleText.Count(flow);
        TrainableParameters = Parameters - frozen;
        BaseDensity = ModuleText.Line(flow.BaseDensity, null);
        var weight = flow.parameters().Concat(flow.buffers().Where(b => b.is_floating_point())).FirstOrDefault();
        (Dtype, Device) = (weight?.dtype ?? get_default_dtype(), weight?.device.ToString() ?? "any device");
        (HasFastDensity, HasFastSampling) = (flow.Bijection.HasFastForward, flow.Bijection.HasFastInverse);
        (Likelihood, MeanLogProb, RowCount, Rows) = (flow.Likelihood, logDets?.MeanLogProb, logDets?.Rows ?? 0, rows);
        Layers = LayerRows.Of(flow, logDets);
        estimate = GraphEstimate.Of(flow);
    }

    /// <summary>The name of the flow, usually its class.</summary>
    public string Name { get; }

    /// <summary>The shape of one example.</summary>
    public EventShape InputShape { get; }

    /// <summary>The shape of one latent.</summary>
    public EventShape LatentShape { get; }

    /// <summary>The number of context features; 0 for a flow without context.</summary>
    public long ContextSize { get; }

    /// <summary>The number of parameters.</summary>
    public long Parameters { get; }

    /// <summary>The number of those that are trained.</summary>
    public long TrainableParameters { get; }

    /// <summary>The dtype of the weights.</summary>
    public ScalarType Dtype { get; }

    /// <summary>The device of the weights.</summary>
    public string Device { get; }

    /// <summary>The layers from data to latents, those inside of others after them.</summary>
    public IReadOnlyList<LayerSummary> Layers { get; }

    /// <summary>The density of the latents, in a line.</summary>
    public string BaseDensity { get; }

    /// <summary>Whether LogProb and Encode take about one pass through the
    /// layers; else some of these go from feature to feature, search or solve.</summary>
    public bool HasFastDensity { get; }

    /// <summary>Whether Sample and Decode take about one pass through the layers.</summary>
    public bool HasFastSampling { get; }

    /// <summary>What log-probabilities are (<see cref="Flow.Likelihood"/>).</summary>
    public Likelihood Likelihood { get; }

    /// <summary>The mean of log p(x) in nats over the rows; null without rows.</summary>
    public double? MeanLogProb { get; }

    /// <summary>The number of rows that <see cref="LayerSummary.MeanLogDet"/> is an average over; 0 without.</summary>
    public long RowCount { get; }

    /// <summary>What these rows were, or why there were none.</summary>
    public string Rows { get; }

    /// <summary>About how much memory the flow takes with batches of a size:
    /// estimated from the shapes of layers and weights, not measured.</summary>
    /// <param name="batchSize">The number of examples of a batch; at least 1.</param>
    public FlowMemory MemoryAt(int batchSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        return estimate.At(batchSize);
    }

    /// <summary>Which direction is cheap, in a sentence.</summary>
    public string Directions => (HasFastDensity, HasFastSampling) switch
    {
        (true, true) => "Density (LogProb, Encode) and samples (Sample, Decode) both take one pass.",
        (true, false) =>
            string.Create(CultureInfo.InvariantCulture,
                $"Density (LogProb, Encode) takes one pass; samples (Sample, Decode) take many: a step for each of the " +
                $"{InputShape.NumElements:N0} elements, or the steps of a search."),
        (false, true) =>
            string.Create(CultureInfo.InvariantCulture,
                $"Samples (Sample, Decode) take one pass; density (LogProb, Encode) takes many: a step for each of the " +
                $"{InputShape.NumElements:N0} elements, or the steps of a search."),
        _ =>
            "Density (LogProb, Encode) and samples (Sample, Decode) take many passes: the steps of a solver or a search, or one for each " +
            "element.",
    };

    /// <summary>The summary as a table of text.</summary>
    public override string ToString() => SummaryText.Write(this);

    /// <summary>The summary as HTML: a fragment without scripts, whose text is escaped.</summary>
    public string ToHtml() => SummaryHtml.Write(this);
}
