using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>A coupling of vectors, or an autoregressive layer forward, as a kernel sees it: which features a network reads, and which ones the map changes.</summary>
/// <remarks>In a coupling no feature is both; in an autoregressive layer each feature is.</remarks>
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
    public CouplingPlan(int[] readAt, int[] changedAt, DenseProgram program, double? limit, CouplingMap map, Func<Tensor, Tensor> read, Func<Tensor, Tensor> changed, Func<Tensor, Tensor, Tensor> merge)
    {
        Features = Math.Max(readAt.Max(), changedAt.Max()) + 1;
        (ReadAt, ChangedAt, Program, Map, Limit) = (readAt, changedAt, program, map, limit ?? 0);
        (this.read, this.changed, this.merge) = (read, changed, merge);
        var first = readAt[0];
        ReadRun = readAt.Select((at, i) => at - i).All(start => start == first) ? first : -1;
    }

    public int Features { get; }

    public int[] ReadAt { get; }

    public int[] ChangedAt { get; }

    public CouplingMap Map { get; }

    /// <summary>Where the features that the network reads begin, if they lie together; else −1.</summary>
    public int ReadRun { get; }

    /// <summary>The limit of what the network sees; 0 for none.</summary>
    public double Limit { get; }

    public DenseProgram Program { get; }

    /// <summary>Whether the kernel may run on such an input, whatever the other tensors are.</summary>
    public bool IsFor(Tensor input) => KernelSwitches.Coupling && Map.IsOn && DenseNetwork.Fits(input, Features);

    /// <summary>Value and log-determinant; null if the kernel cannot run on these tensors. Runs in a dispose scope.</summary>
    /// <param name="all">The tensors of <see cref="DenseTensors"/>, of which the first is the whole input, and the context is limited.</param>
    /// <param name="hasContext">Whether there is a context among them.</param>
    /// <param name="inverse">The direction.</param>
    public (Tensor Value, Tensor LogDet)? TryRun(List<Tensor> all, bool hasContext, bool inverse)
    {
        if (!DenseNetwork.Serves(Program, all, hasContext, Features)) return null;
        for (var i = 0; i < (hasContext ? 2 : 1); i++) all[i] = DenseNetwork.Rows(all[i]);
        if (Map.Weight is { } weight)
        {
            if (weight.dtype != ScalarType.Float32 || !KernelMemory.IsContiguous(weight) || (weight.numel() != 1 && weight.numel() != ChangedAt.Length)) return null;
            all.Add(weight);
        }
        return Run(all, hasContext, inverse);
    }

    /// <summary>The layer in plain operations. Runs in a dispose scope.</summary>
    public (Tensor Value, Tensor LogDet) Plain(IReadOnlyList<Tensor> all, bool hasContext, bool inverse)
    {
        var input = all[0];
        var parts = all.Take(all.Count - (Map.Weight is null ? 0 : 1)).ToArray();
        parts[0] = InputLimitReference.Of(read(input), Limit > 0 ? Limit : null);
        var parameters = DenseTwin.Forward(Program, new DenseTensors(Program, parts, hasContext));
        var (value, logDet) = Map.Plain(changed(input), parameters, parts.Length == all.Count ? null : all[^1], inverse);
        return (merge(input, value), logDet);
    }

    private (Tensor Value, Tensor LogDet) Run(List<Tensor> all, bool hasContext, bool inverse)
    {
        if (is_grad_enabled() && all.Exists(t => t.requires_grad))
        {
            var outputs = CouplingFunction.Apply([.. all, this, hasContext, inverse]);
            return (outputs[0], outputs[1]);
        }
        return CouplingForward.Run(new CouplingCall(this, all, hasContext, inverse), null);
    }
}
