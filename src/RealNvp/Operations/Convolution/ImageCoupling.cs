using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
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
internal sealed unsafe record ImageCoupling(ElementwiseMap Map, int Kept, bool KeepsFirst)
{
    /// <summary>Whether the kernels can run on these.</summary>
    public bool CanRun(IReadOnlyList<Tensor> tensors, bool inverse)
    {
        var x = tensors[0];
        if (!KernelSwitches.Coupling || !Map.IsOn || (inverse && Map.InverseIsSearch) || !ConvNet.CanRun(tensors, Kept)) return false;
        var changed = x.size(1) - Kept;
        return changed * Map.Parameters == tensors[5].size(0)
            && (Map.Weight is not { } weight || ElementwiseOperation.CanRead(weight, x, changed));
    }

    /// <summary>Value (N, C, H, W) and log-determinant (N), with gradients if they are wanted. Runs in a dispose scope.</summary>
    public (Tensor Value, Tensor LogDet) Run(Tensor[] tensors, bool inverse)
    {
        if (!KernelMemory.IsFloats(tensors[0].Handle)) tensors[0] = tensors[0].contiguous();
        if (!is_grad_enabled() || !Array.Exists(tensors, t => t.requires_grad))
        {
            var (value, logDet, _) = Forward(tensors, inverse, keep: false);
            return (value, logDet);
        }
        var results = ImageCouplingFunction.Apply([.. tensors, this, inverse]);
        return (results[0], results[1]);
    }

    /// <summary>The same in plain operations.</summary>
    public (Tensor Value, Tensor LogDet) Reference(IReadOnlyList<Tensor> tensors, bool inverse)
    {
        var (x, rest) = (tensors[0], tensors[0].size(1) - Kept);
        Tensor kept = x.narrow(1, KeepsFirst ? 0 : rest, Kept), changed = x.narrow(1, KeepsFirst ? Kept : 0, rest);
        var parameters = ConvNet.Reference([kept, .. tensors.Skip(1)]);
        var (value, logDet) = ElementwiseOperation.Reference(new(Map, inverse, Sums: true), changed, parameters, Weight(tensors), null);
        return (KeepsFirst ? cat([kept, value], 1) : cat([value, kept], 1), logDet);
    }

    /// <summary>Value, log-determinant, and if they are to be kept what gradients need. Without a graph, in a dispose scope.</summary>
    internal (Tensor Value, Tensor LogDet, Tensor[] Tape) Forward(IReadOnlyList<Tensor> tensors, bool inverse, bool keep)
    {
        var x = tensors[0];
        var place = new Place(this, x);
        var (parameters, inner, outer) = ConvNet.Forward(tensors, keep, place.Kept);
        Tensor value = empty(x.Sizes(), ScalarType.Float32, CPU), logDet = empty(x.size(0), ScalarType.Float32, CPU);
        ElementwiseOperation.RunChannels(new(Map, inverse, Sums: true), x, place.Changed, parameters, Weight(tensors), value, logDet);
        float* from = KernelMemory.Pointer<float>(x) + place.At, to = KernelMemory.Pointer<float>(value) + place.At;
        for (var n = x.size(0); n > 0; n--, from += place.Each, to += place.Each)
            new ReadOnlySpan<float>(from, place.Count).CopyTo(new(to, place.Count));
        GC.KeepAlive(x);
        return (value, logDet, keep ? [parameters, inner!, outer] : []);
    }

    /// <summary>The gradients of the tensors, null for those that want none. Without a graph, in a dispose scope.</summary>
    /// <param name="tensors">The tensors.</param>
    /// <param name="tape">What <see cref="Forward"/> has kept.</param>
    /// <param name="inverse">The direction.</param>
    /// <param name="ofValue">The gradient of the value.</param>
    /// <param name="ofLogDet">The gradient of the log-determinant.</param>
    internal List<Tensor?> Backward(IReadOnlyList<Tensor> tensors, IReadOnlyList<Tensor> tape, bool inverse, Tensor ofValue,
        Tensor ofLogDet)
    {
        var x = tensors[0];
        var place = new Place(this, x);
        var ofX = empty(x.Sizes(), ScalarType.Float32, CPU);
        var slope = KernelMemory.IsFloats(ofValue.Handle) ? ofValue : ofValue.contiguous();
        var (ofParameters, ofWeight) = ElementwiseOperation.ChannelGradients(new(Map, inverse, Sums: true), x, place.Changed, tape[0],
            Weight(tensors), slope, ofLogDet, ofX);
        var (wantsX, ofNetwork) = (x.requires_grad, false);
        for (var i = 1; i < ConvNet.Count; i++) ofNetwork |= tensors[i].requires_grad;
        List<Tensor?> results = [wantsX ? ofX : null];
        if (wantsX || ofNetwork)
        {
            var to = wantsX ? KernelMemory.Pointer<float>(ofX) + place.At : null;
            results.AddRange(ConvNet.Backward(tensors, place.Kept, tape[1], tape[2], ofParameters, to, place.Each,
                KernelMemory.Pointer<float>(slope) + place.At, ofNetwork).AsSpan(1));
        }
        while (results.Count < ConvNet.Count) results.Add(null);
        // memory of its own, as of the others
        if (tensors.Count > ConvNet.Count) results.Add(ofWeight!.clone());
        GC.KeepAlive(slope);
        return results;
    }

    private static Tensor? Weight(IReadOnlyList<Tensor> tensors) => tensors.Count > ConvNet.Count ? tensors[ConvNet.Count] : null;

    // where the parts of an image lie in memory
    private readonly struct Place
    {
        public Place(ImageCoupling coupling, Tensor x)
        {
            var size = x.Sizes();
            var (rest, plane) = (size[1] - coupling.Kept, size[2] * size[3]);
            (Kept, Changed) = coupling.KeepsFirst ? (0, coupling.Kept) : (rest, 0);
            (Each, At, Count) = ((nint)(size[1] * plane), (nint)(Kept * plane), checked((int)(coupling.Kept * plane)));
        }

        // the first channels of both
        public long Kept { get; }

        public long Changed { get; }

        // elements from one image to the next, from the beginning of one to what is kept, and of what is kept
        public nint Each { get; }

        public nint At { get; }

        public int Count { get; }
    }
}
