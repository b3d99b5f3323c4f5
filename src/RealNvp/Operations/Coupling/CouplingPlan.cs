using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>A coupling of vectors, or an autoregressive layer forward, as one
/// operation: a network of linear layers and an elementwise map.</summary>
internal sealed class CouplingPlan
{
    private readonly Func<Tensor, Tensor> read, changed;
    private readonly Func<Tensor, Tensor, Tensor> merge;

    /// <summary>Describes a layer.</summary>
    /// <param name="readAt">The features that the network reads, in its order.</param>
    /// <param name="changedAt">The features that the map changes, in its order. Each feature is here or there.</param>
    /// <param name="program">The network.</param>
    /// <param name="limit">The limit of what the network sees; null for none.</param>
    /// <param name="map">The map.</param>
    /// <param name="read">Takes what the network reads, in plain operations.</param>
    /// <param name="changed">Takes what the map changes.</param>
    /// <param name="merge">Makes the result of an input and what the map gave.</param>
    public CouplingPlan(int[] readAt, int[] changedAt, DenseProgram program, double? limit, ElementwiseMap map, Func<Tensor, Tensor> read,
        Func<Tensor, Tensor> changed, Func<Tensor, Tensor, Tensor> merge)
    {
        (Shape, Map) = (new CouplingShape(readAt, changedAt, program, limit ?? 0, map), map);
        (this.read, this.changed, this.merge) = (read, changed, merge);
    }

    public CouplingShape Shape { get; }

    public ElementwiseMap Map { get; }

    /// <summary>Whether the kernel may run on such an input, whatever the other tensors are.</summary>
    public bool CanRun(Tensor input, bool inverse) =>
        KernelSwitches.Coupling && Map.IsOn && !(inverse && Map.InverseIsSearch) && DenseNetwork.IsMatrix(input, Shape.Features);

    /// <summary>Value and log-determinant; null if the kernel cannot run on these tensors. Runs in a dispose scope.</summary>
    /// <param name="all">The tensors of <see cref="DenseTensors"/>, of which
    /// the first is the whole input, and the context is limited.</param>
    /// <param name="hasContext">Whether there is a context among them.</param>
    /// <param name="inverse">The direction.</param>
    public (Tensor Value, Tensor LogDet)? TryRun(List<Tensor> all, bool hasContext, bool inverse)
    {
        if (!CanRun(all, hasContext)) return null;
        for (var i = 0; i < (hasContext ? 2 : 1); i++) all[i] = DenseNetwork.Rows(all[i]);
        if (!is_grad_enabled() || !all.Exists(t => t.requires_grad)) return CouplingFunction.Forward(this, all, hasContext, inverse, null);
        var outputs = CouplingFunction.Apply([.. all, this, hasContext, inverse]);
        return (outputs[0], outputs[1]);
    }

    /// <summary>The layer as a step of a chain; null if the kernel cannot run on these tensors.</summary>
    /// <param name="all">As of <see cref="TryRun"/>, of which the first is like the input; it is used up.</param>
    /// <param name="hasContext">Whether there is a context among them.</param>
    /// <param name="takesContext">Whether it is that of the chain, and not one of the layer's own.</param>
    /// <param name="inverse">The direction.</param>
    public CouplingStep? StepFor(List<Tensor> all, bool hasContext, bool takesContext, bool inverse)
    {
        if (!CanRun(all, hasContext)) return null;
        all.RemoveRange(0, takesContext ? 2 : 1);
        return new CouplingStep(this, all, hasContext, takesContext, inverse);
    }

    // adds the weight of the map
    private bool CanRun(List<Tensor> all, bool hasContext)
    {
        if (!DenseNetwork.CanRun(Shape.Program, all, hasContext, Shape.Features)) return false;
        if (Map.Weight is not { } weight) return true;
        if (!KernelMemory.IsFloats(weight.Handle) || (weight.numel() != 1 && weight.numel() != Shape.Columns)) return false;
        all.Add(weight);
        return true;
    }

    /// <summary>The layer in plain operations. Runs in a dispose scope.</summary>
    public (Tensor Value, Tensor LogDet) Reference(IReadOnlyList<Tensor> all, bool hasContext, bool inverse)
    {
        var input = all[0];
        var parts = all.Take(all.Count - (Map.HasWeight ? 1 : 0)).ToArray();
        parts[0] = InputLimitReference.Of(read(input), Shape.Limit > 0 ? Shape.Limit : null);
        var parameters = DenseReference.Forward(Shape.Program, new DenseTensors(Shape.Program, parts, hasContext));
        var (value, logDet) = ElementwiseOperation.Reference(new(Map, inverse, Sums: true), changed(input), parameters,
            parts.Length == all.Count ? null : all[^1], null);
        return (merge(input, value), logDet);
    }
}
