using RealNvp.Kernels;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>
/// A coupling of images as one operation: <see cref="ConvNet"/> of the channels that are kept, an elementwise map of the others by its
/// result, and both beside each other.
/// </summary>
/// <remarks>Tensors come in this order: x (N, C, H, W), the seven weights of the network, and the map's weight if it has one.</remarks>
/// <param name="Map">The map.</param>
/// <param name="Kept">The number of channels that are kept.</param>
/// <param name="KeepsFirst">Whether they are the first ones; the others are behind them, or before them.</param>
internal sealed record ImageCoupling(ElementwiseMap Map, int Kept, bool KeepsFirst)
{
    /// <summary>The coupling of one call as a step of a chain; null if the kernels cannot run on these.</summary>
    public ImageCouplingStep? StepFor(Tensor[] tensors, bool inverse)
    {
        var x = tensors[0];
        if (!KernelSwitches.Coupling || !Map.IsOn || (inverse && Map.InverseIsSearch) || !ConvNet.CanRun(tensors, Kept)) return null;
        var changed = x.size(1) - Kept;
        if (changed * Map.Parameters != tensors[5].size(0)) return null;
        if (Map.Weight is { } weight && !ElementwiseOperation.CanRead(weight, x, changed)) return null;
        return new ImageCouplingStep(this, tensors, inverse);
    }

    /// <summary>The same in plain operations.</summary>
    public (Tensor Value, Tensor LogDet) Reference(IReadOnlyList<Tensor> tensors, bool inverse)
    {
        var (x, rest) = (tensors[0], tensors[0].size(1) - Kept);
        Tensor kept = x.narrow(1, KeepsFirst ? 0 : rest, Kept), changed = x.narrow(1, KeepsFirst ? Kept : 0, rest);
        var parameters = ConvNet.Reference([kept, .. tensors.Skip(1)]);
        var weight = tensors.Count > ConvNet.Count ? tensors[ConvNet.Count] : null;
        var (value, logDet) = ElementwiseOperation.Reference(new(Map, inverse, Sums: true), changed, parameters, weight, null);
        return (KeepsFirst ? cat([kept, value], 1) : cat([value, kept], 1), logDet);
    }
}
