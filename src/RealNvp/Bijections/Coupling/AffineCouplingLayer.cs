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
    /// <summary>Makes an affine coupling, and its network by a function of the sizes.</summary>
    /// <param name="inputShape">The shape of one example, such as [C, H, W] or [D].</param>
    /// <param name="mask">Which variables are kept; it broadcasts to the shape.</param>
    /// <param name="network">Makes the network, such as <c>size =&gt; new Mlp(size.Inputs,
    /// size.Outputs, 256)</c>; called once, before the layer is there.</param>
    /// <param name="order">Scale first, as in the paper, or shift first, as in the original code.</param>
    /// <param name="maskAsInput">Adds the mask to the network's input as one more channel.</param>
    /// <param name="contextSize">C, which the function finds in the sizes and the network must take; 0 leaves it to the network.</param>
    /// <exception cref="ArgumentException">The mask does not fit the shape, or
    /// keeps all or nothing, or the network has another size.</exception>
    public AffineCouplingLayer(EventShape inputShape, Mask mask, Func<ConditionerSizes, Conditioner> network,
        AffineOrder order = AffineOrder.ScaleThenShift, bool maskAsInput = false, long contextSize = 0)
        : base(nameof(AffineCouplingLayer), inputShape, mask, Affine(inputShape, mask, order), network, maskAsInput, contextSize) { }

    /// <summary>Makes an affine coupling, and any network that takes one tensor and gives one by a function of the sizes.</summary>
    /// <inheritdoc cref="AffineCouplingLayer(EventShape, Mask, Func{ConditionerSizes, Conditioner}, AffineOrder, bool, long)"/>
    public AffineCouplingLayer(EventShape inputShape, Mask mask, Func<ConditionerSizes, nn.Module<Tensor, Tensor>> network,
        AffineOrder order = AffineOrder.ScaleThenShift, bool maskAsInput = false)
        : base(nameof(AffineCouplingLayer), inputShape, mask, Affine(inputShape, mask, order), network, maskAsInput, 0) { }

    /// <summary>Makes an affine coupling with a conditional network.</summary>
    /// <param name="inputShape">The shape of one example, such as [C, H, W] or [D].</param>
    /// <param name="mask">Which variables are kept; it broadcasts to the shape.</param>
    /// <param name="conditioner">The network; it is owned by the layer from now on.</param>
    /// <param name="order">Scale first, as in the paper, or shift first, as in the original code.</param>
    /// <param name="maskAsInput">Adds the mask to the network's input as one more channel.</param>
    public AffineCouplingLayer(EventShape inputShape, Mask mask, Conditioner conditioner, AffineOrder order = AffineOrder.ScaleThenShift,
        bool maskAsInput = false)
        : base(nameof(AffineCouplingLayer), inputShape, mask, Affine(inputShape, mask, order), conditioner, maskAsInput) { }

    /// <summary>Makes an affine coupling with any network that takes one tensor and gives one.</summary>
    /// <inheritdoc cref="AffineCouplingLayer(EventShape, Mask, Conditioner, AffineOrder, bool)"/>
    public AffineCouplingLayer(EventShape inputShape, Mask mask, nn.Module<Tensor, Tensor> conditioner,
        AffineOrder order = AffineOrder.ScaleThenShift, bool maskAsInput = false)
        : base(nameof(AffineCouplingLayer), inputShape, mask, Affine(inputShape, mask, order), conditioner, maskAsInput) { }

    private static AffineTransformer Affine(EventShape shape, Mask mask, AffineOrder order)
    {
        ArgumentNullException.ThrowIfNull(mask);
        var changed = PartShapes(shape, mask).Changed;
        return new AffineTransformer(EventShape.Create([changed[0], .. Enumerable.Repeat(1L, changed.Count - 1)]), order);
    }
}
