using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary><see cref="ImageCoupling"/> as a step of a chain.</summary>
internal sealed unsafe class ImageCouplingStep : ChainStep
{
    // the weights of the network; that of the map is behind them
    private const int Network = ConvNet.Count - 1;

    private readonly ImageCoupling coupling;
    private readonly Tensor[] weights;
    private readonly bool inverse;
    private readonly ConvNetShape one;
    private readonly int channels;

    // the numbers of the map's weight, which may be disposed before the backward pass as the others may
    private readonly long mapNumbers;

    /// <summary>Describes the step of one call.</summary>
    /// <param name="coupling">The layer.</param>
    /// <param name="tensors">Its tensors, the first of which is like the input.</param>
    /// <param name="inverse">The direction.</param>
    public ImageCouplingStep(ImageCoupling coupling, Tensor[] tensors, bool inverse)
    {
        (this.coupling, weights, this.inverse) = (coupling, tensors[1..], inverse);
        var (size, first) = (tensors[0].Sizes(), tensors[1].Sizes());
        channels = (int)size[1];
        one = new(1, (int)first[1], (int)first[0], (int)tensors[5].size(0), (int)size[2], (int)size[3]);
        mapNumbers = weights.Length > Network ? weights[Network].numel() : 0;
    }

    public override IReadOnlyList<Tensor> Weights => weights;

    // the parameters, and what both relus gave
    public override long TapeSize(int rows) => Shape(rows).OutputSize + (2 * Shape(rows).InnerSize);

    public override void Forward(in ChainRows rows)
    {
        var (shape, images) = (Shape(rows.Count), Images(rows.Count));
        using var room = new KernelRoom(rows.Tape.IsEmpty ? shape.OutputSize + shape.InnerSize : 0);
        var pointers = stackalloc float*[Network];
        for (var i = 0; i < Network; i++) pointers[i] = rows.WeightAt(i);
        float* x = (float*)rows.InputAt, value = (float*)rows.ValueAt;
        fixed (float* tape = rows.Tape)
        {
            var parameters = tape == null ? room.Memory : tape;
            var outer = parameters + shape.OutputSize;
            ConvNet.Forward(shape, x + KeptAt, Strides, ConvNetWeights.Of(pointers), tape == null ? null : outer + shape.InnerSize, outer,
                parameters);
            ElementwiseOperation.RunChannels(Call, images, x, parameters, MapWeight(rows), mapNumbers, value, (float*)rows.LogDetAt);
        }
        var (each, count) = ((nint)channels * Plane, coupling.Kept * Plane);
        float* from = x + KeptAt, to = value + KeptAt;
        for (var n = 0; n < rows.Count; n++, from += each, to += each) new ReadOnlySpan<float>(from, count).CopyTo(new(to, count));
    }

    public override void Backward(in ChainGradients rows)
    {
        var (shape, images) = (Shape(rows.Count), Images(rows.Count));
        float** pointers = stackalloc float*[Network], gradients = stackalloc float*[Network];
        bool wantsX = rows.OfInputAt != 0, ofNetwork = false;
        long unwanted = 0, all = rows.Count * (long)channels * Plane;
        for (var i = 0; i < Network; i++)
        {
            pointers[i] = rows.WeightAt(i);
            gradients[i] = rows.OfWeightAt(i);
            ofNetwork |= gradients[i] != null;
            if (gradients[i] == null) unwanted += KernelRoom.Whole(rows.Weight(i).Length);
        }
        using var room = new KernelRoom(shape.OutputSize + (wantsX ? 0 : KernelRoom.Whole(all)) + (ofNetwork ? unwanted : 0)
            + shape.BackwardRoom(wantsX));
        float* ofParameters = room.Memory, free = ofParameters + shape.OutputSize;
        float* x = (float*)rows.InputAt, slope = (float*)rows.OfValueAt, ofX = wantsX ? (float*)rows.OfInputAt : Take(ref free, all);
        fixed (float* tape = rows.Tape)
        {
            var outer = tape + shape.OutputSize;
            ElementwiseOperation.ChannelGradients(Call, images, x, tape, mapNumbers > 0 ? rows.WeightAt(Network) : null, mapNumbers, slope,
                (float*)rows.OfLogDetAt, ofX, ofParameters, mapNumbers > 0 ? rows.OfWeight(Network) : []);
            if (!wantsX && !ofNetwork) return;
            // the gradients of the network's weights are computed together
            for (var i = 0; i < Network && ofNetwork; i++)
                if (gradients[i] == null) gradients[i] = Take(ref free, rows.Weight(i).Length);
            ConvNet.Backward(shape, x + KeptAt, Strides, ConvNetWeights.Of(pointers), outer + shape.InnerSize, outer, ofParameters,
                new() { To = wantsX ? ofX + KeptAt : null, Apart = (nint)channels * Plane, Addend = slope + KeptAt },
                ConvNetWeights.Of(gradients), free);
        }
    }

    public override (Tensor Value, Tensor? LogDet) Reference(Tensor input, Tensor? context, IReadOnlyList<Tensor> weights) =>
        coupling.Reference([input, .. weights], inverse);

    private ElementwiseCall Call => new(coupling.Map, inverse, Sums: true);

    private int Plane => one.H * one.W;

    // from the beginning of an image to the channels that are kept
    private nint KeptAt => coupling.KeepsFirst ? 0 : (nint)(channels - coupling.Kept) * Plane;

    private long[] Strides => [(long)channels * Plane, Plane, one.W, 1];

    private ConvNetShape Shape(int rows) => one with { N = rows };

    private ImageChannels Images(int rows) =>
        new(rows, channels, Plane, coupling.KeepsFirst ? coupling.Kept : 0, channels - coupling.Kept);

    private float* MapWeight(in ChainRows rows) => mapNumbers > 0 ? rows.WeightAt(Network) : null;

    private static float* Take(ref float* free, long count)
    {
        var taken = free;
        free += KernelRoom.Whole(count);
        return taken;
    }
}
