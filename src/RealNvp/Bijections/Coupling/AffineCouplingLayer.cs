using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// The affine coupling of Real NVP: y = b ⊙ x + (1 - b) ⊙ (x ⊙ exp(s) + t), where s and t come from a network of b ⊙ x, and
/// s = a ⊙ tanh(·) with a learned scale a; log|det| = Σ (1 - b) ⊙ s (arXiv 1605.08803, equations 7 to 9).
/// </summary>
/// <remarks>
/// The network returns 2·C channels or features for the C transformed ones: the raw scale first, then the shift. State-dict keys:
/// <c>conditioner.*</c> and <c>transformer.scale</c>, one scale a channel of an image or a feature of a vector.
/// </remarks>
public sealed class AffineCouplingLayer : CouplingLayer
{
    /// <summary>Makes an affine coupling with a conditional network.</summary>
    /// <param name="inputShape">The shape of one example, such as [C, H, W] or [D].</param>
    /// <param name="mask">Which variables are kept; it broadcasts to the shape.</param>
    /// <param name="conditioner">The network; it is owned by the layer from now on.</param>
    /// <param name="order">Scale first, as in the paper, or shift first, as in the original code.</param>
    /// <param name="maskAsInput">Adds the mask to the network's input as one more channel.</param>
    public AffineCouplingLayer(EventShape inputShape, Mask mask, Conditioner conditioner, AffineOrder order = AffineOrder.ScaleThenShift, bool maskAsInput = false)
        : base(nameof(AffineCouplingLayer), inputShape, mask, Affine(inputShape, mask, order), conditioner, maskAsInput) { }

    /// <summary>Makes an affine coupling with any network that takes one tensor and gives one.</summary>
    /// <inheritdoc cref="AffineCouplingLayer(EventShape, Mask, Conditioner, AffineOrder, bool)"/>
    public AffineCouplingLayer(EventShape inputShape, Mask mask, nn.Module<Tensor, Tensor> conditioner, AffineOrder order = AffineOrder.ScaleThenShift, bool maskAsInput = false)
        : base(nameof(AffineCouplingLayer), inputShape, mask, Affine(inputShape, mask, order), conditioner, maskAsInput) { }

    private static AffineTransformer Affine(EventShape shape, Mask mask, AffineOrder order)
    {
        ArgumentNullException.ThrowIfNull(mask);
        var changed = PartShapes(shape, mask).Changed;
        return new AffineTransformer(EventShape.Create([changed[0], .. Enumerable.Repeat(1L, changed.Count - 1)]), order);
    }
}
