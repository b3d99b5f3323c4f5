using RealNvp.Describing;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>What a flow is, as text.</content>
public partial class Flow
{
    /// <summary>The flow as a tree of its parts, each with its class, shapes, properties and number
    /// of parameters; equal layers in a row stand there once, with their number.</summary>
    public override string ToString() => ModuleTree.Of(this, disposed ? "disposed" : Weight is { IsInvalid: false } weight
        ? $"{weight.dtype.ToString().ToLowerInvariant()} on {weight.device}" : null);

    string? IDescribed.Description => ModuleText.Properties(this, below: typeof(Flow));

    bool IDescribed.ShowsParts => true;

    (EventShape? Input, EventShape? Output) IDescribed.ShapesFor(EventShape? given) => (InputShape, LatentShape);

    IEnumerable<(nn.Module Part, EventShape Input)> IDescribed.PartShapesFor(EventShape? given) => [(bijection, InputShape)];

    /// <summary>What the flow is made of and what it does with data: shapes, parameters and log-determinants by layer, which direction is
    /// cheap, and how much memory it takes.</summary>
    /// <remarks>Print it, or let a notebook show it. In evaluation mode, without gradients.</remarks>
    /// <param name="x">
    /// (N, ...): rows whose log-determinants are averaged, some hundred tell enough. Null takes 64 samples of the flow itself; it
    /// takes none if that would be long (more than 4,096 elements, or an inverse of many steps) or if the flow is conditional.
    /// </param>
    /// <param name="context">(N, C) for a conditional flow.</param>
    /// <exception cref="ArgumentException">The rows or contexts do not fit.</exception>
    public FlowSummary Summary(Tensor? x = null, Tensor? context = null)
    {
        using var held = Held();
        if (x is null && context is not null)
            throw new ArgumentException($"{GetName()}.{nameof(Summary)} got a context without rows. Give the rows x that belong to it.",
                nameof(context));
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var (rows, note) = (x, (string?)null);
        if (x is null) (rows, note) = SummaryRows();
        return new FlowSummary(this, rows is null ? null : LayerLogDets.Measure(this, rows, context), note ?? "rows that were given");
    }

    /// <summary>Takes rows through the flow and says of each layer what it did
    /// with them: its log-determinants and the values that it gave.</summary>
    /// <remarks>
    /// For looking at what goes wrong: a layer that gives NaN or infinity is no error here, its statistics count
    /// them. In evaluation mode, without gradients. <c>LayerPlot</c> of RealNvp.Plotting is a picture of it.
    /// </remarks>
    /// <param name="x">(N, ...): rows, some hundred tell enough; all finite.</param>
    /// <param name="context">(N, C) for a conditional flow.</param>
    /// <returns>One for each layer, from data to latents, those inside of others after them.</returns>
    /// <exception cref="ArgumentException">The rows or contexts do not fit.</exception>
    /// <exception cref="NonFiniteException">A weight is not finite, so that no layer has run.</exception>
    public IReadOnlyList<LayerStatistics> MeasureLayers(Tensor x, Tensor? context = null)
    {
        using var held = Held();
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        CheckInput(x, context, $"{GetName()}.{nameof(MeasureLayers)}");
        return LayerMeasures.Of(this, x, context);
    }

    private (Tensor? Rows, string Note) SummaryRows()
    {
        if (ContextSize > 0) return (null, "Give rows and contexts to see the log-determinants of layers.");
        if (InputShape.NumElements > 4096 || (!Bijection.HasFastInverse && InputShape.NumElements > 64))
            return (null, "Give rows to see the log-determinants of layers.");
        try { return (Sample(64, seed: 0), "samples of the flow"); }
        catch (NonFiniteException e) { return (null, $"The flow gives no samples: {e.Message}"); }
    }
}
