using RealNvp.Internal;
using RealNvp.Operations;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A coupling of vectors, or an autoregressive layer forward, as one
/// kernel: what a <see cref="CouplingPlan"/> asks of a layer's modules.</summary>
internal sealed class FusedCoupling
{
    private readonly Conditioner conditioner;
    private readonly DenseModules modules;
    private readonly CouplingPlan plan;

    private FusedCoupling(Conditioner conditioner, DenseModules modules, CouplingPlan plan) =>
        (this.conditioner, this.modules, this.plan) = (conditioner, modules, plan);

    /// <summary>Describes a layer; null if there is no kernel for its network or its map, or if they do not fit.</summary>
    /// <param name="readAt">The features that the network reads, in its order.</param>
    /// <param name="changedAt">The features that the map changes, in its order. Each feature is here or there.</param>
    /// <param name="network">The network.</param>
    /// <param name="transformer">The map.</param>
    /// <param name="read">Takes what the network reads, in plain operations.</param>
    /// <param name="changed">Takes what the map changes.</param>
    /// <param name="merge">Makes the result of an input and what the map gave.</param>
    public static FusedCoupling? Of(int[] readAt, int[] changedAt, nn.Module network, ScalarTransformer transformer,
        Func<Tensor, Tensor> read, Func<Tensor, Tensor> changed, Func<Tensor, Tensor, Tensor> merge)
    {
        if (network is not (Conditioner conditioner and IDenseNetwork dense) || transformer.Map is not { } map) return null;
        var program = dense.Modules.Program;
        if (program.Inputs != readAt.Length || program.Outputs != changedAt.Length * transformer.ParametersPerElement) return null;
        return new FusedCoupling(conditioner, dense.Modules, new CouplingPlan(readAt, changedAt, program, dense.Modules.Limit, map, read,
            changed, merge));
    }

    /// <summary>Value and log-determinant; null if the kernel cannot run on these tensors. The caller disposes both.</summary>
    public (Tensor Value, Tensor LogDet)? TryRun(Tensor input, Tensor? context, bool inverse)
    {
        if (!CanRun(input, inverse)) return null;
        using var scope = NewDisposeScope();
        var hasContext = modules.Uses(context);
        if (hasContext) context = InputLimitReference.Of(context!, modules.Limit);
        if (plan.TryRun(modules.Tensors(input, context), hasContext, inverse) is not var (value, logDet)) return null;
        return (scope.MoveToOuter(value), scope.MoveToOuter(logDet));
    }

    /// <summary>The layer as a step of a chain (<see cref="IJoinsChain"/>); null if the kernel cannot run on such an input.</summary>
    public ChainStep? StepFor(Tensor like, Tensor? context, bool inverse)
    {
        if (!CanRun(like, inverse)) return null;
        var hasContext = modules.Uses(context);
        var isLimited = hasContext && modules.Limit is not null;
        // a limited context is a tensor of the layer's own, and gradients do not go through it here
        if (isLimited && is_grad_enabled() && context!.requires_grad) return null;
        if (isLimited) context = InputLimitReference.Of(context!, modules.Limit);
        return plan.StepFor(modules.Tensors(like, context), hasContext, hasContext && !isLimited, inverse);
    }

    private bool CanRun(Tensor input, bool inverse) => modules.Dropout is null && plan.CanRun(input, inverse)
        && !ConditionerMath.IsReduced(modules.ComputeDtype, input) && !ModuleHooks.Any(conditioner);
}
