using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// The logit of the cumulative distribution of a mixture of K logistics, and an affine map: y = logit F(x) · exp(a) + t with
/// F(x) = Σ πᵢ σ((x − μᵢ)/sᵢ) (Flow++, arXiv 1902.00275, section 3.2).
/// </summary>
/// <remarks>
/// <para>The parameters of an element, each for all channels before the next: K logits of the weights π, K means μ, K values for
/// log s = 7 tanh(r/7), one for a = 5 tanh(r/5), and the shift t. Parameters of 0 are the identity up to rounding. It has no weights of its own.</para>
/// <para>log|dy/dx| = a + log Σ (wᵢ σ(−uᵢ) + vᵢ σ(uᵢ))/sᵢ with u = (x − μ)/s and the shares w, v of component i in F and in 1 − F: a sum of
/// positive terms, so that it is exact in both tails, where y runs on as a line.</para>
/// <para>The inverse has no closed form. It is found by Newton's method inside a bracket, in float64 whatever the dtype; its residual
/// |τ(x) − y| is at most <see cref="MaxResidual"/> · max(1, |y|) before x is rounded to its dtype, or the call throws. The gradient of the
/// inverse is that of the implicit function, of first order.</para>
/// </remarks>
public sealed class MixtureCdfTransformer : ScalarTransformer
{
    /// <summary>The largest residual of the inverse, relative to max(1, |y|): 1e-6. Found ones are some 1e-14.</summary>
    public const double MaxResidual = 1e-6;

    private const double MaxLogSize = 7, MaxLogScale = 5;
    private const int MaxSteps = 300;
    private const double SmallStep = 1e-14, SmallResidual = 4e-15;

    private static readonly Scalar max_size = MaxLogSize, size_slope = 1 / MaxLogSize, max_scale = MaxLogScale, scale_slope = 1 / MaxLogScale;
    private static readonly Scalar small_step = SmallStep, small_residual = SmallResidual;

    /// <summary>Makes the transformer.</summary>
    /// <param name="components">K, the number of logistics, 1 to 64.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number of components that is not 1 to 64.</exception>
    public MixtureCdfTransformer(int components = 8) : base(nameof(MixtureCdfTransformer))
    {
        if (components is < 1 or > 64) throw new ArgumentOutOfRangeException(nameof(components), components, "The number of components must be 1 to 64.");
        Components = components;
        RegisterComponents();
    }

    /// <summary>K, the number of logistics.</summary>
    public int Components { get; }

    /// <inheritdoc/>
    public override int ParametersPerElement => (3 * Components) + 2;

    /// <inheritdoc/>
    public override bool IsIdentityAtZeroExactly => false;

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Forward(Tensor x, Tensor parameters)
    {
        CheckParameters(x, parameters);
        using var scope = NewDisposeScope();
        var p = Split(x, parameters);
        var (value, logDerivative) = Logit(x, p);
        return (scope.MoveToOuter(value.mul(p.LogScale.exp()).add(p.Shift, Scalars.One)), scope.MoveToOuter(logDerivative.add(p.LogScale, Scalars.One)));
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">A root was not found to <see cref="MaxResidual"/>, as for values or parameters that are NaN or infinite.</exception>
    public override (Tensor Value, Tensor? LogDerivative) Inverse(Tensor y, Tensor parameters)
    {
        CheckParameters(y, parameters);
        using var scope = NewDisposeScope();
        var p = Split(y, parameters);
        Tensor root;
        using (no_grad()) root = Root(y, parameters);
        if (is_grad_enabled() && (y.requires_grad || parameters.requires_grad))
        {
            // the value stays; the gradient is dx = (dy − ∂τ/∂θ dθ)/(∂τ/∂x)
            var (at, slope) = Logit(root, p);
            var image = at.mul(p.LogScale.exp()).add(p.Shift, Scalars.One);
            var step = y.sub(y.detach()).sub(image.sub(image.detach()));
            root = root.add(step.mul(slope.add(p.LogScale, Scalars.One).neg().exp().detach()), Scalars.One);
        }
        var logDerivative = Logit(root, p).LogDerivative.add(p.LogScale, Scalars.One).neg();
        return (scope.MoveToOuter(root), scope.MoveToOuter(logDerivative));
    }

    private (Tensor LogWeights, Tensor Means, Tensor LogSizes, Tensor LogScale, Tensor Shift) Split(Tensor x, Tensor parameters)
    {
        var k = Components;
        var all = parameters.unflatten(1, [ParametersPerElement, x.shape[1]]);
        return (all.narrow(1, 0, k).log_softmax(1), all.narrow(1, k, k), all.narrow(1, 2 * k, k).mul(size_slope).tanh().mul(max_size),
            all.select(1, 3 * k).mul(scale_slope).tanh().mul(max_scale), all.select(1, (3 * k) + 1));
    }

    /// <summary>logit F(x) and the logarithm of its derivative.</summary>
    private static (Tensor Value, Tensor LogDerivative) Logit(Tensor x, (Tensor LogWeights, Tensor Means, Tensor LogSizes, Tensor LogScale, Tensor Shift) p)
    {
        var u = x.unsqueeze(1).sub(p.Means).mul(p.LogSizes.neg().exp());
        var below = p.LogWeights.add(nn.functional.logsigmoid(u), Scalars.One);
        var above = p.LogWeights.add(nn.functional.logsigmoid(u.neg()), Scalars.One);
        var (logBelow, logAbove) = (below.logsumexp(1, keepdim: true), above.logsumexp(1, keepdim: true));
        // the share of a component in what lies below x, times how much of it lies above, and the other way round;
        // as logarithms, for far from every mean each of these products is too small for its dtype
        var ofBelow = below.log_softmax(1).add(nn.functional.logsigmoid(u.neg()), Scalars.One).sub(p.LogSizes);
        var ofAbove = above.log_softmax(1).add(nn.functional.logsigmoid(u), Scalars.One).sub(p.LogSizes);
        var logDerivative = cat([ofBelow, ofAbove], 1).logsumexp(1);
        return (logBelow.sub(logAbove).squeeze(1), logDerivative);
    }

    /// <summary>The x with τ(x) = y. logit F lies between the lines of its components, so x lies between their inverses at y.</summary>
    private Tensor Root(Tensor y, Tensor parameters)
    {
        using var scope = NewDisposeScope();
        var p = Split(y, parameters.to(float64));
        var target = y.to(float64).sub(p.Shift).mul(p.LogScale.neg().exp());
        var lines = target.unsqueeze(1).mul(p.LogSizes.exp()).add(p.Means, Scalars.One);
        var (low, high) = (lines.amin([1L]), lines.amax([1L]));
        var x = low.add(high, Scalars.One).mul(Scalars.Half);
        var before = high.sub(low);
        var found = zeros_like(x, dtype: @bool);
        for (var i = 0; i < MaxSteps && x.numel() > 0; i++)
        {
            using var step = NewDisposeScope();
            var (value, logDerivative) = Logit(x, p);
            var residual = value.sub(target);
            var tooHigh = residual.gt(Scalars.Zero);
            var (nextLow, nextHigh) = (low.where(tooHigh, x), x.where(tooHigh, high));
            var newton = x.sub(residual.mul(logDerivative.neg().exp()));
            // a step that leaves the bracket, is no number or is not half of the one before becomes the middle: each halves something
            var good = newton.ge(nextLow).logical_and(newton.le(nextHigh)).logical_and(newton.sub(x).abs().le(before.mul(Scalars.Half)));
            // what is found stays: near the root rounding would send it away again
            var next = x.where(found, newton.where(good, nextLow.add(nextHigh, Scalars.One).mul(Scalars.Half)));
            var change = next.sub(x).abs();
            // where the map is flat, rounding of the value hides the step, and where it is steep, rounding of x hides the value
            var foundNow = found.logical_or(change.le(x.abs().clamp_min(Scalars.One).mul(small_step))).logical_or(residual.abs().le(target.abs().clamp_min(Scalars.One).mul(small_residual)));
            var done = foundNow.all().item<bool>();
            found = step.MoveToOuter(foundNow);
            before = step.MoveToOuter(change.where(good, nextHigh.sub(nextLow)));
            (low, high, x) = (step.MoveToOuter(nextLow), step.MoveToOuter(nextHigh), step.MoveToOuter(next));
            if (done) break;
        }
        if (x.numel() > 0)
        {
            var error = Logit(x, p).Value.sub(target).abs().mul(p.LogScale.exp()).div(y.to(float64).abs().clamp_min(Scalars.One)).max().item<double>();
            // NaN is no small number
            if (!(error <= MaxResidual))
                throw new InvalidOperationException(FormattableString.Invariant($"{GetName()}.Inverse found no root: the largest residual is {error:G3} of {MaxResidual:G1} allowed. Values or parameters may be NaN, infinite or near the largest number of their dtype."));
        }
        return scope.MoveToOuter(x.to(y.dtype));
    }
}
