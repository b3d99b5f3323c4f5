using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// The additive coupling of NICE: y = b ⊙ x + (1 - b) ⊙ (x + t(b ⊙ x)); log|det| = 0 (arXiv 1410.8516, section 3.2).
/// </summary>
/// <remarks>The network returns as many channels or features as are transformed. State-dict keys: <c>conditioner.*</c>.</remarks>
public sealed class AdditiveCouplingLayer : CouplingLayer
{
    /// <summary>Makes an additive coupling, and its network by a function of the sizes.</summary>
    /// <param name="inputShape">The shape of one example, such as [C, H, W] or [D].</param>
    /// <param name="mask">Which variables are kept; it broadcasts to the shape.</param>
    /// <param name="network">Makes the network, such as <c>size =&gt; new Mlp(size.Inputs,
    /// size.Outputs, 256)</c>; called once, before the layer is there.</param>
    /// <param name="maskAsInput">Adds the mask to the network's input as one more channel.</param>
    /// <param name="contextSize">C, which the function finds in the sizes and the network must take; 0 leaves it to the network.</param>
    /// <exception cref="ArgumentException">The mask does not fit the shape, or
    /// keeps all or nothing, or the network has another size.</exception>
    public AdditiveCouplingLayer(EventShape inputShape, Mask mask, Func<ConditionerSizes, Conditioner> network, bool maskAsInput = false,
        long contextSize = 0)
        : base(nameof(AdditiveCouplingLayer), inputShape, mask, new AdditiveTransformer(), network, maskAsInput, contextSize) { }

    /// <summary>Makes an additive coupling, and any network that takes one tensor and gives one by a function of the sizes.</summary>
    /// <inheritdoc cref="AdditiveCouplingLayer(EventShape, Mask, Func{ConditionerSizes, Conditioner}, bool, long)"/>
    public AdditiveCouplingLayer(EventShape inputShape, Mask mask, Func<ConditionerSizes, nn.Module<Tensor, Tensor>> network,
        bool maskAsInput = false)
        : base(nameof(AdditiveCouplingLayer), inputShape, mask, new AdditiveTransformer(), network, maskAsInput, 0) { }

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
