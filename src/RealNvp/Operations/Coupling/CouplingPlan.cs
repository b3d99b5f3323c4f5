using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>A coupling of vectors, or an autoregressive layer forward, as a kernel sees it: which features a network reads, and which ones the map changes.</summary>
/// <remarks>In a coupling no feature is both; in an autoregressive layer each feature is.</remarks>
internal sealed class CouplingPlan
{
    private readonly IDenseNetwork network;
    private readonly Func<Tensor, Tensor> read, changed;
    private readonly Func<Tensor, Tensor, Tensor> merge;

    private CouplingPlan(int[] readAt, int[] changedAt, IDenseNetwork network, CouplingMap map, Func<Tensor, Tensor> read, Func<Tensor, Tensor> changed, Func<Tensor, Tensor, Tensor> merge)
    {
        Features = Math.Max(readAt.Max(), changedAt.Max()) + 1;
        (ReadAt, ChangedAt, Map) = (readAt, changedAt, map);
        (this.network, this.read, this.changed, this.merge) = (network, read, changed, merge);
        var first = readAt[0];
        ReadRun = readAt.Select((at, i) => at - i).All(start => start == first) ? first : -1;
    }

    /// <summary>Describes a layer; null where no kernel serves it, or where network and map do not fit.</summary>
    /// <param name="readAt">The features that the network reads, in its order.</param>
    /// <param name="changedAt">The features that the map changes, in its order. Each feature is here or there.</param>
    /// <param name="network">The network.</param>
    /// <param name="transformer">The map.</param>
    /// <param name="read">Takes what the network reads, in plain operations.</param>
    /// <param name="changed">Takes what the map changes.</param>
    /// <param name="merge">Makes the result of an input and what the map gave.</param>
    public static CouplingPlan? Of(int[] readAt, int[] changedAt, IDenseNetwork network, ScalarTransformer transformer, Func<Tensor, Tensor> read, Func<Tensor, Tensor> changed, Func<Tensor, Tensor, Tensor> merge)
    {
        var program = network.Modules.Program;
        return transformer.Fused is { } map && program.Inputs == readAt.Length && program.Outputs == changedAt.Length * transformer.ParametersPerElement
            ? new CouplingPlan(readAt, changedAt, network, map, read, changed, merge)
            : null;
    }

    public int Features { get; }

    public int[] ReadAt { get; }

    public int[] ChangedAt { get; }

    public CouplingMap Map { get; }

    /// <summary>Where the features that the network reads begin, if they lie together; else −1.</summary>
    public int ReadRun { get; }

    public DenseModules Modules => network.Modules;

    /// <summary>The limit of what the network sees; 0 for none.</summary>
    public double Limit => network.Modules.Limit ?? 0;

    public DenseProgram Program => network.Modules.Program;

    /// <summary>Value and log-determinant; null where the kernel does not take these tensors. The caller disposes both.</summary>
    public (Tensor Value, Tensor LogDet)? TryRun(Tensor input, Tensor? context, bool inverse)
    {
        if (!KernelSwitches.Coupling || !Map.IsOn || !DenseNetwork.Fits(input, Features) || ConditionerMath.IsReduced(Modules.ComputeDtype, input) || ModuleHooks.Any((Conditioner)network)) return null;
        using var scope = NewDisposeScope();
        var hasContext = Modules.Uses(context);
        if (hasContext) context = InputLimit.Of(context!, Modules.Limit);
        var all = Modules.Tensors(input, context);
        if (!DenseNetwork.Serves(Program, all, hasContext, Features)) return null;
        for (var i = 0; i < (hasContext ? 2 : 1); i++) all[i] = DenseNetwork.Rows(all[i]);
        if (Map.Weight is { } weight)
        {
            if (weight.dtype != ScalarType.Float32 || !KernelMemory.IsPlain(weight) || (weight.numel() != 1 && weight.numel() != ChangedAt.Length)) return null;
            all.Add(weight);
        }
        var (value, logDet) = Run(all, hasContext, inverse);
        return (scope.MoveToOuter(value), scope.MoveToOuter(logDet));
    }

    /// <summary>The layer in plain operations. Runs in a dispose scope.</summary>
    public (Tensor Value, Tensor LogDet) Plain(IReadOnlyList<Tensor> all, bool hasContext, bool inverse)
    {
        var input = all[0];
        var parts = all.Take(all.Count - (Map.Weight is null ? 0 : 1)).ToArray();
        parts[0] = InputLimit.Of(read(input), Modules.Limit);
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
