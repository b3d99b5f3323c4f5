using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A coupling of images by Glow's network as one operation: what an
/// <see cref="ImageCoupling"/> asks of a layer's modules.</summary>
internal sealed class FusedImageCoupling
{
    private readonly GlowConvNet network;
    private readonly ImageCoupling plan;

    private FusedImageCoupling(GlowConvNet network, ImageCoupling plan) => (this.network, this.plan) = (network, plan);

    /// <summary>Describes a layer; null if there is no kernel for its network or its map, or if they do not fit.</summary>
    /// <param name="partition">Which channels are kept, and which change.</param>
    /// <param name="network">The network.</param>
    /// <param name="transformer">The map.</param>
    public static FusedImageCoupling? Of(SplitPartition partition, nn.Module network, ScalarTransformer transformer)
    {
        if (network is not GlowConvNet { ContextSize: 0 } net || transformer.Map is not { } map || !partition.IsTwoRuns) return null;
        var (kept, changed) = (partition.KeptAt, partition.ChangedAt);
        if (net.InputShape!.Value[0] != kept.Length || net.OutputShape!.Value[0] != map.Parameters * changed.Length) return null;
        return new FusedImageCoupling(net, new ImageCoupling(map, kept.Length, kept[0] == 0));
    }

    /// <summary>Value and log-determinant; null if the kernel cannot run on this tensor. The caller disposes both.</summary>
    public (Tensor Value, Tensor? LogDet)? TryRun(Tensor input, bool inverse)
    {
        if (StepFor(input, inverse) is not { } step || !RowChain.HasRoom(step, input.size(0))) return null;
        using var scope = NewDisposeScope();
        var (value, logDet) = RowChain.Run([step], input, null);
        return (scope.MoveToOuter(value), scope.MoveToOuter(logDet!));
    }

    /// <summary>The layer as a step of a chain (<see cref="IJoinsChain"/>); null if the kernel cannot run on such an input.</summary>
    public ChainStep? StepFor(Tensor like, bool inverse)
    {
        if (network.KernelTensors(like) is not { } tensors || ModuleHooks.Any(network)) return null;
        return plan.StepFor(plan.Map.Weight is { } weight ? [.. tensors, weight] : tensors, inverse);
    }
}
