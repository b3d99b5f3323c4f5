using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// A learned mean and scale of the last latents of an image: z = (x − m) ⊙ exp(−log σ), where m and log σ are what a
/// <see cref="ZeroConv2d"/> makes of an image of zeros; log|det| = −Σ log σ (Glow, arXiv 1807.03039, and its code).
/// </summary>
/// <remarks>
/// With a standard normal behind it, x is normal with mean m and standard deviation σ. They differ at the border of the image only. A new
/// layer is the identity. State-dict keys: <c>conv.*</c>.
/// </remarks>
public sealed partial class LearnedPrior : Bijection
{
    private readonly ZeroConv2d conv;
    private readonly StandardizingTransformer transformer;

    /// <summary>Makes the layer.</summary>
    /// <param name="inputShape">[C, H, W], all sizes known.</param>
    /// <exception cref="ArgumentException">The shape is not that of an image.</exception>
    public LearnedPrior(EventShape inputShape) : base(nameof(LearnedPrior), inputShape)
    {
        if (inputShape.Count != 3 || !inputShape.IsFixed)
            throw new ArgumentException($"A learned prior needs an image [C, H, W] with all sizes known; got {inputShape}.",
                nameof(inputShape));
        conv = new ZeroConv2d(inputShape[0], 2 * inputShape[0]);
        transformer = new StandardizingTransformer();
        RegisterComponents();
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => Summed(transformer.Forward(x, Parameters(x)), x);

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => Summed(transformer.Inverse(z, Parameters(z)), z);

    // the same for all examples: computed once, and broadcast
    private Tensor Parameters(Tensor like) => conv.call(zeros(InputShape!.Value.WithBatch(1), dtype: like.dtype, device: like.device));

    private static (Tensor Value, Tensor? LogDet) Summed((Tensor Value, Tensor? LogDerivative) result, Tensor input) =>
        (result.Value, SumExamples(result.LogDerivative!).expand(input.shape[0]));
}
