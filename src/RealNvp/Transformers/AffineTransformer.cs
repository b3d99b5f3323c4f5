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
public sealed class AffineTransformer : ScalarTransformer
{
    /// <summary>The largest |s|: exp(16) ≈ 8.9·10⁶. A learned scale beyond it acts as if it were at it.</summary>
    public const double MaxLogScale = AffineForm.MaxLogScale;

    private static readonly Scalar limit = Scalars.Of(MaxLogScale), minus_limit = Scalars.Of(-MaxLogScale);
    private readonly TorchSharp.Modules.Parameter scale;

    /// <summary>Makes the transformer with a learned scale of a given shape.</summary>
    /// <param name="scaleShape">The shape of a, which broadcasts to one example: [C, 1, 1] for one a channel, [D] for one a feature, [1] for one in all.</param>
    /// <param name="order">Scale first, as in the paper, or shift first, as in the original code.</param>
    public AffineTransformer(EventShape scaleShape, AffineOrder order = AffineOrder.ScaleThenShift) : base(nameof(AffineTransformer))
    {
        Order = order;
        Weights.Pay(scaleShape.NumElements, 1);
        scale = Weights.Parameter(ones(scaleShape.ToArray()));
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
            throw new ArgumentException($"{GetName()} has a scale of shape {EventShape.Format(sizes)}, but transforms {shape}: sizes, aligned at the right, must be equal or 1. Use [1] for one scale in all, or the shape of what is transformed.", nameof(shape));
    }

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Forward(Tensor x, Tensor parameters)
    {
        CheckParameters(x, nameof(x), parameters);
        var (s, t) = ScaleAndShift(parameters, scale);
        return Forward(x, s, t);
    }

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Inverse(Tensor y, Tensor parameters)
    {
        CheckParameters(y, nameof(y), parameters);
        var (s, t) = ScaleAndShift(parameters, scale);
        return Inverse(y, s, t);
    }

    internal override CouplingMap? Fused => scale.numel() == 1 || scale.dim() == 1 ? new AffineCouplingMap(Order == AffineOrder.ShiftThenScale, () => scale, (x, p, a, inverse) => Plain(x, p, a!, inverse)) : null;

    internal override (Tensor Value, Tensor? LogDet) Transform(Tensor input, Tensor parameters, bool inverse)
    {
        if (!Fuses(input, parameters)) return base.Transform(input, parameters, inverse);
        return AffineKernel.Run(Form(inverse), input, parameters, scale, (x, p, a) => Plain(x, p, a!, inverse));
    }

    internal override (Tensor Input, Tensor Gradient, Tensor Parameters)? StepBack(BackwardStep step, Tensor output, Tensor parameters, Tensor gradient, bool inverse)
    {
        if (!Fuses(output, parameters)) return null;
        var (input, _) = AffineKernel.Forward(Form(!inverse), output, parameters, scale);
        var (slope, inParameters, byExample) = AffineKernel.Backward(Form(inverse), input, parameters, scale, gradient, step.LogDetGradient);
        step.AddGradient(scale, AffineKernel.OfScale(byExample!, scale));
        return (input, slope, inParameters);
    }

    private bool Fuses(Tensor input, Tensor parameters) => AffineKernel.Takes(input, parameters, scale) && (scale.dim() == input.dim() - 1 || scale.numel() == 1);

    private AffineForm Form(bool inverse) => AffineForm.Of(sigmoid: false, Order == AffineOrder.ShiftThenScale, inverse);

    // the kernel's twin: with a scale that is an input
    private (Tensor, Tensor) Plain(Tensor x, Tensor parameters, Tensor a, bool inverse)
    {
        var (s, t) = ScaleAndShift(parameters, a);
        var (y, logDerivative) = inverse ? Inverse(x, s, t) : Forward(x, s, t);
        return (y, Batch.SumExamples(logDerivative));
    }

    private (Tensor, Tensor) Forward(Tensor x, Tensor s, Tensor t) =>
        (Order == AffineOrder.ScaleThenShift ? x.mul(s.exp()).add(t, Scalars.One) : x.add(t, Scalars.One).mul(s.exp()), s);

    private (Tensor, Tensor) Inverse(Tensor y, Tensor s, Tensor t)
    {
        var minus = s.neg();
        return (Order == AffineOrder.ScaleThenShift ? y.sub(t).mul(minus.exp()) : y.mul(minus.exp()).sub(t), minus);
    }

    private static (Tensor S, Tensor T) ScaleAndShift(Tensor parameters, Tensor scale)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        var half = parameters.shape[1] / 2;
        var s = scale.clamp(minus_limit, limit).mul(parameters.narrow(1, 0, half).tanh());
        return (s, parameters.narrow(1, half, half));
    }
}
