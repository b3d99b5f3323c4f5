using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// The additive coupling of NICE: y = b ⊙ x + (1 - b) ⊙ (x + t(b ⊙ x)); log|det| = 0 (arXiv 1410.8516, section 3.2).
/// </summary>
/// <remarks>The network returns as many channels or features as are transformed. State-dict keys: <c>conditioner.*</c>.</remarks>
public sealed class AdditiveCouplingLayer : CouplingLayer
{
    /// <summary>Makes an additive coupling with a conditional network.</summary>
    /// <param name="inputShape">The shape of one example, such as [C, H, W] or [D].</param>
    /// <param name="mask">Which variables are kept; it broadcasts to the shape.</param>
    /// <param name="conditioner">The network; it is owned by the layer from now on.</param>
    /// <param name="maskAsInput">Adds the mask to the network's input as one more channel.</param>
    public AdditiveCouplingLayer(EventShape inputShape, Mask mask, Conditioner conditioner, bool maskAsInput = false)
        : base(nameof(AdditiveCouplingLayer), inputShape, mask, new AdditiveTransformer(), conditioner, maskAsInput) { }

    /// <summary>Makes an additive coupling with any network that takes one tensor and gives one.</summary>
    /// <inheritdoc cref="AdditiveCouplingLayer(EventShape, Mask, Conditioner, bool)"/>
    public AdditiveCouplingLayer(EventShape inputShape, Mask mask, nn.Module<Tensor, Tensor> conditioner, bool maskAsInput = false)
        : base(nameof(AdditiveCouplingLayer), inputShape, mask, new AdditiveTransformer(), conditioner, maskAsInput) { }
}
