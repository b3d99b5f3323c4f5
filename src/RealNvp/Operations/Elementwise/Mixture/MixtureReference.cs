using System.Globalization;
using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>Mixtures of logistics in plain tensor operations, for all devices and dtypes and for derivatives of gradients.</summary>
/// <param name="components">K.</param>
/// <param name="owner">The name that errors show.</param>
internal sealed class MixtureReference(int components, string owner)
{
    private static readonly Scalar lastDigits = Scalars.Of(MixtureLimits.LastDigits);
    private static readonly Scalar maxSize = Scalars.Of(MixtureLimits.MaxLogSize), sizeRate = Scalars.Of(1 / MixtureLimits.MaxLogSize),
        maxScale = Scalars.Of(MixtureLimits.MaxLogScale), scaleRate = Scalars.Of(1 / MixtureLimits.MaxLogScale);
    private static readonly Scalar smallStep = Scalars.Of(MixtureLimits.SmallStep), smallResidual = Scalars.Of(MixtureLimits.SmallResidual);

    public int Components => components;

    /// <summary>3 K + 2.</summary>
    public int Parameters => MixtureLimits.Parameters(components);

    /// <summary>Value and log-derivative of each element.</summary>
    public (Tensor Value, Tensor LogDerivative) Forward(Tensor x, Tensor parameters)
    {
        using var scope = NewDisposeScope();
        var p = Split(x, parameters);
        var (value, logDerivative) = Logit(x, p);
        return (scope.MoveToOuter(value.mul(p.LogScale.exp()).add(p.Shift, Scalars.One)),
            scope.MoveToOuter(logDerivative.add(p.LogScale, Scalars.One)));
    }

    /// <summary>Value and log-derivative of the inverse of each element.</summary>
    /// <param name="y">The values.</param>
    /// <param name="parameters">Their parameters.</param>
    /// <param name="root">What <see cref="Root"/> gives for them; null to look for it.</param>
    public (Tensor Value, Tensor LogDerivative) Inverse(Tensor y, Tensor parameters, Tensor? root = null)
    {
        using var scope = NewDisposeScope();
        var p = Split(y, parameters);
        if (root is null)
            using (no_grad()) root = Root(y, parameters);
        else
            root = root.alias();
        if (is_grad_enabled() && (y.requires_grad || parameters.requires_grad))
        {
            // the value stays; the gradient is dx = (dy − ∂τ/∂θ dθ)/(∂τ/∂x)
            var (at, rate) = Logit(root, p);
            var image = at.mul(p.LogScale.exp()).add(p.Shift, Scalars.One);
            var step = y.sub(y.detach()).sub(image.sub(image.detach()));
            root = root.add(step.mul(rate.add(p.LogScale, Scalars.One).neg().exp().detach()), Scalars.One);
        }
        var logDerivative = Logit(root, p).LogDerivative.add(p.LogScale, Scalars.One).neg();
        return (scope.MoveToOuter(root), scope.MoveToOuter(logDerivative));
    }

    /// <summary>The error of a root that was not found; NaN is no small number.</summary>
    /// <param name="error">The largest |τ(x) − y|/max(1, |y|).</param>
    /// <exception cref="InvalidOperationException">It is not at most <see cref="MixtureLimits.MaxResidual"/>.</exception>
    public void CheckResidual(double error)
    {
        if (!(error <= MixtureLimits.MaxResidual))
            throw new NoInverseException(
                string.Create(CultureInfo.InvariantCulture,
                $"{owner}.Inverse found no root: the largest residual is {error:G3} of {MixtureLimits.MaxResidual:G1} allowed. Values " +
                $"or parameters may be NaN, infinite or near the largest number of their dtype."));
    }

    private (Tensor LogWeights, Tensor Means, Tensor LogSizes, Tensor LogScale, Tensor Shift) Split(Tensor x, Tensor parameters)
    {
        var k = components;
        var all = parameters.unflatten(1, [Parameters, x.size(1)]);
        return (all.narrow(1, 0, k).log_softmax(1), all.narrow(1, k, k), all.narrow(1, 2 * k, k).mul(sizeRate).tanh().mul(maxSize),
            all.select(1, 3 * k).mul(scaleRate).tanh().mul(maxScale), all.select(1, (3 * k) + 1));
    }

    /// <summary>logit F(x) and the logarithm of its derivative.</summary>
    private static (Tensor Value, Tensor LogDerivative) Logit(Tensor x, (Tensor LogWeights, Tensor Means, Tensor LogSizes, Tensor LogScale,
        Tensor Shift) p)
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
        for (var i = 0; i < MixtureLimits.MaxSteps && x.numel() > 0; i++)
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
            var foundNow = found.logical_or(change.le(x.abs().clamp_min(Scalars.One).mul(smallStep))).logical_or(
                residual.abs().le(target.abs().clamp_min(Scalars.One).mul(smallResidual)));
            var done = RootSearch.Asks(i, x) && foundNow.all().Fetch<bool>();
            found = step.MoveToOuter(foundNow);
            before = step.MoveToOuter(change.where(good, nextHigh.sub(nextLow)));
            (low, high, x) = (step.MoveToOuter(nextLow), step.MoveToOuter(nextHigh), step.MoveToOuter(next));
            if (done) break;
        }
        if (x.numel() > 0)
        {
            var (value, logDerivative) = Logit(x, p);
            var rest = value.sub(target).abs();
            var exact = rest.mul(logDerivative.neg().exp()).le(x.abs().clamp_min(Scalars.One).mul(lastDigits));
            CheckResidual(rest.mul(p.LogScale.exp()).div(y.to(float64).abs().clamp_min(Scalars.One)).masked_fill(exact, Scalars.Zero).max()
                .Fetch<double>());
        }
        return scope.MoveToOuter(x.to(y.dtype));
    }
}
