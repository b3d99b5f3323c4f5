using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Turns integers k = 0 ... K - 1 into continuous values in (0, 1) with noise that a flow of its own learns: z = (k + u)/K
/// with u ~ q(u | k); the term of the log-density is −log q(u | k) − D log K (Flow++, arXiv 1902.00275, section 3.1).
/// </summary>
/// <remarks>
/// <para>With it, the log-likelihood of a flow is, on average over the noise, a lower bound of that of the integers: log P(k) ≥
/// E[log p(k + u) − log q(u | k)]. The better q fits, the tighter it is; uniform noise is the case q = 1.
/// <see cref="Flow.Likelihood"/> says so. The noise is new at each call; pass a seed to the flow's methods to repeat it.</para>
/// <para>The noise flow is a bijection on (k scaled to ±1, ε) side by side, twice the channels, which keeps the first
/// half and maps the logistic ε to v; u = σ(b tanh(v/b)) stays away from 0 and 1, so that rounding never makes an
/// integer of another one. The inverse gives integers, limited to 0 ... K − 1, and the opposite term.</para>
/// <para>This is no bijection of the integers, so <see cref="Checking.FlowCheck"/> does not apply to
/// it; it does to the noise flow. State-dict keys: <c>noise.*</c>. It owns the noise flow.</para>
/// </remarks>
public sealed partial class VariationalDequantization : Bijection
{
    private readonly Bijection noise;
    private readonly Scalar levels, reciprocal, top, toUnit, logCells;

    /// <summary>Makes the layer with a noise flow of affine couplings, each of which
    /// sees the integers; it starts as uniform noise but for the edges.</summary>
    /// <param name="inputShape">[D] with D of at least 2, or [C, H, W] of at least 2 pixels.</param>
    /// <param name="levels">K, the number of values, at least 2: 256 for bytes.</param>
    /// <param name="couplings">The number of couplings, at least 2.</param>
    /// <param name="hidden">The hidden features or channels of each network.</param>
    public VariationalDequantization(EventShape inputShape, int levels = 256, int couplings = 4, long hidden = 32)
        : this(inputShape, levels, NoiseFlow(inputShape, couplings, hidden)) { }

    /// <summary>Makes the layer with a noise flow of yours.</summary>
    /// <param name="inputShape">The shape of one example, all sizes known.</param>
    /// <param name="levels">K, the number of values, at least 2.</param>
    /// <param name="noise">A bijection on [2·C, ...] that leaves the first C channels
    /// or features as they are, such as couplings whose masks keep them.</param>
    public VariationalDequantization(EventShape inputShape, int levels, Bijection noise)
        : base(nameof(VariationalDequantization), inputShape)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(levels, 2);
        ArgumentNullException.ThrowIfNull(noise);
        ModuleLife.Alive(noise, nameof(noise), nameof(VariationalDequantization));
        var joint = Joint(inputShape);
        if (noise.InputShape is { } wanted && !wanted.Matches(joint.ToArray()))
            throw new ArgumentException($"The noise flow must take integers and noise side by side, {joint}; it takes {wanted}.",
                nameof(noise));
        if (noise.OutputShapeOf(joint) != joint)
            throw new ArgumentException($"The noise flow must keep the shape {joint}; it gives {noise.OutputShapeOf(joint)}.",
                nameof(noise));
        Levels = levels;
        (this.levels, reciprocal, top, toUnit, logCells) = (Scalars.Of(levels), Scalars.Of(1.0 / levels), Scalars.Of(levels - 1.0),
            Scalars.Of(2.0 / (levels - 1)), Scalars.Of(inputShape.NumElements * Math.Log(levels)));
        this.noise = noise;
        RegisterComponents();
    }

    /// <summary>K, the number of values.</summary>
    public int Levels { get; }

    /// <inheritdoc/>
    public override bool IsStochastic => true;

    /// <inheritdoc/>
    public override Likelihood Likelihood => Likelihood.LowerBound.With(noise.Likelihood);

    /// <inheritdoc/>
    public override bool Dequantizes => true;

    /// <inheritdoc/>
    public override long ContextSize => noise.ContextSize;

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
    {
        UniformDequantization.CheckDigits(Levels, x.dtype, GetName());
        var least = finfo(x.dtype).eps;
        var epsilon = Noise.Uniform(x.shape, x.dtype, x.device, pass.Generator, least, 1 - least).logit();
        var (joint, logDet) = noise.Run(cat([Unit(x), epsilon], 1), pass, inverse: false);
        var bound = Bound(x.dtype);
        var v = joint.narrow(1, x.shape[1], x.shape[1]).div(bound).tanh();
        var log = LogSlope(v, v.mul(bound));
        var z = x.add(v.mul(bound).sigmoid(), Scalars.One).mul(reciprocal);
        // −log q(u | k) = log|du/dε| − log p(ε)
        var total = SumExamples(log.sub(LogLogistic(epsilon))).sub(logCells);
        return (z, logDet is null ? total : total.add(logDet, Scalars.One));
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
    {
        UniformDequantization.CheckDigits(Levels, z.dtype, GetName());
        var scaled = z.mul(levels);
        var x = scaled.floor().clamp(Scalars.Zero, top);
        var bound = Bound(z.dtype);
        // what lies at an edge came from no noise of ours: it is taken to the nearest
        var most = Math.Tanh(Math.Log(1 / finfo(z.dtype).eps) / 4);
        var v = scaled.sub(x).clamp(Scalars.Of(finfo(z.dtype).tiny),
            Scalars.Of(1 - finfo(z.dtype).eps)).logit().div(bound).clamp(Scalars.Of(-most), Scalars.Of(most));
        var log = LogSlope(v, v.mul(bound));
        var (joint, logDet) = noise.Run(cat([Unit(x), v.atanh().mul(bound)], 1), pass, inverse: true);
        var epsilon = joint.narrow(1, x.shape[1], x.shape[1]);
        var total = SumExamples(log.sub(LogLogistic(epsilon))).neg().add(logCells, Scalars.One);
        return (x, logDet is null ? total : total.add(logDet, Scalars.One));
    }

    /// <inheritdoc/>
    protected internal override void CheckData(Tensor x, string owner) => UniformDequantization.CheckLevels(x, Levels, owner);

    private Tensor Unit(Tensor x) => x.mul(toUnit).sub(Scalars.One);

    // the log-density of a standard logistic, which is log σ' too
    private static Tensor LogLogistic(Tensor x) => nn.functional.logsigmoid(x).add(nn.functional.logsigmoid(x.neg()), Scalars.One);

    // log du/dv of u = σ(w), w = b tanh(v/b): log σ'(w) + log(1 − tanh²)
    private static Tensor LogSlope(Tensor tanh, Tensor w) =>
        LogLogistic(w).add(tanh.mul(tanh).neg().clamp_min(Scalars.Of(-1 + finfo(tanh.dtype).eps)).log1p(), Scalars.One);

    // u stays in margin ... 1 − margin, as with uniform noise
    private Scalar Bound(ScalarType dtype)
    {
        var margin = UniformDequantization.Margin(Levels, dtype);
        return Scalars.Of(Math.Log((1 - margin) / margin));
    }

    private static EventShape Joint(EventShape shape) => shape.IsFixed && shape.Count > 0
        ? EventShape.Create([2 * shape[0], .. shape.Skip(1)])
        : throw new ArgumentException($"Dequantization with a noise flow needs all sizes; got {shape}.", nameof(shape));

    private static Chain NoiseFlow(EventShape shape, int couplings, long hidden)
    {
        Check.Depth(couplings, 2, nameof(couplings), "The number of couplings");
        var joint = Joint(shape);
        if (shape.Count is not (1 or 3) || shape.NumElements / (shape.Count == 3 ? shape[0] : 1) < 2)
            throw new ArgumentException($"The noise flow needs [D] with D of at least 2, or [C, H, W] of at least 2 pixels; got {shape}.",
                nameof(shape));
        var half = shape.Count == 3 ? Mask.Checkerboard(shape[1], shape[2]) : Mask.Alternating(shape[0]);
        return new Chain([.. Enumerable.Range(0, couplings).Select(Bijection (i) => Coupling(joint, KeepIntegers(shape, i % 2 == 0 ? half
            : !half), hidden))]);
    }

    private static AffineCouplingLayer Coupling(EventShape joint, Mask mask, long hidden) => joint.Count == 3
        ? new(joint, mask, size => new ResidualConvNet(size.Inputs, size.Outputs, new() { HiddenChannels = hidden, Blocks = 1,
            BatchNorm = false }))
        : new(joint, mask, size => new ResidualMlp(size.Inputs, size.Outputs, hidden, 1));

    private static Mask KeepIntegers(EventShape shape, Mask noise)
    {
        var size = (int)(shape.NumElements / shape[0]);
        var kept = new bool[2 * shape.NumElements];
        var pattern = noise.Kept;
        for (var i = 0; i < shape.NumElements; i++)
        {
            kept[i] = true;
            kept[shape.NumElements + i] = pattern[shape.Count == 3 ? i % size : i];
        }
        return new Mask(Joint(shape), kept);
    }
}
