using RealNvp.Internal;
using RealNvp.Kernels;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// The affine map y = x ⊙ exp(s) + t with s = a ⊙ tanh(r); log|dy/dx| = s. Two parameters an element: all r first, then all t
/// (Real NVP, arXiv 1605.08803, section 3.2 and 4.1).
/// </summary>
/// <remarks>
/// The scale a is learned, one a channel or feature, and starts at 1. Its magnitude is limited to <see cref="MaxLogScale"/>, so
/// exp(s) and exp(-s) are finite in float32 for every finite r. The state dict has one key: <c>scale</c>.
/// </remarks>
public sealed partial class AffineTransformer : ScalarTransformer
{
    /// <summary>The largest |s|: exp(16) ≈ 8.9·10⁶. A learned scale beyond it acts as if it were at it.</summary>
    public const double MaxLogScale = AffineForm.MaxLogScale;

    private readonly TorchSharp.Modules.Parameter scale;

    /// <summary>Makes the transformer with a learned scale of a given shape.</summary>
    /// <param name="scaleShape">The shape of a, which broadcasts to one example: [C, 1,
    /// 1] for one a channel, [D] for one a feature, [1] for one in all.</param>
    /// <param name="order">Scale first, as in the paper, or shift first, as in the original code.</param>
    public AffineTransformer(EventShape scaleShape, AffineOrder order = AffineOrder.ScaleThenShift) : base(nameof(AffineTransformer))
    {
        Order = order;
        Weights.Pay(scaleShape.NumElements, 1);
        scale = Weights.Parameter(ones(scaleShape.ToArray()));
        Map = new AffineMap(order == AffineOrder.ShiftThenScale, () => scale);
        RegisterComponents();
    }

    /// <summary>The order of scale and shift.</summary>
    public AffineOrder Order { get; }

    /// <summary>The learned scale a.</summary>
    internal Tensor Scale => scale;

    /// <inheritdoc/>
    public override int ParametersPerElement => 2;

    /// <inheritdoc/>
    public override void CheckShape(EventShape shape)
    {
        var sizes = scale.shape;
        var fits = sizes.Length <= shape.Count;
        for (var d = 1; fits && d <= sizes.Length; d++) fits = sizes[^d] == 1 || shape[^d] == -1 || sizes[^d] == shape[^d];
        if (!fits)
            throw new ArgumentException(
                $"{GetName()} has a scale of shape {EventShape.Format(sizes)}, but transforms {shape}: sizes, aligned at the right, " +
                $"must be equal or 1. Use [1] for one scale in all, or the shape of what is transformed.", nameof(shape));
    }

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Forward(Tensor x, Tensor parameters) =>
        Apply(x, nameof(x), parameters, inverse: false);

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Inverse(Tensor y, Tensor parameters) =>
        Apply(y, nameof(y), parameters, inverse: true);

    internal override ElementwiseMap Map { get; }
}
