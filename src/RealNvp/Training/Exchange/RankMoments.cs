using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Mean and biased variance (C) of a batch (N, C, ...) that several processes share. Arguments: the own rows; the weight of
/// elements, broadcasting to them; the <see cref="Ranks"/>.</summary>
/// <remarks>
/// <para>All sums are of float64, forward and backward, so that it does not matter how the rows are parted: the mean first, then the
/// squares about it, V = Σ w (x - m)²/n - (m - μ)², where m is μ in the dtype of x.</para>
/// <para>The gradient of x is w (Gμ + 2 (x - μ) Gσ²)/n, where Gμ and Gσ² are sums over the processes, in one exchange.</para>
/// </remarks>
internal sealed class RankMoments : KernelFunction<RankMoments>
{
    private const string RanksKey = "ranks";

    /// <summary>The moments, with gradients if x has any. In the caller's scope.</summary>
    public static (Tensor Mean, Tensor Variance) Of(Tensor x, Tensor weight, Ranks ranks)
    {
        if (is_grad_enabled() && x.requires_grad && Apply(x, weight, ranks) is [var mean, var variance]) return (mean, variance);
        using var _ = no_grad();
        var (m, v, _) = Moments(x, weight, ranks);
        return (m, v);
    }

    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var (x, weight, ranks) = ((Tensor)arguments[0], (Tensor)arguments[1], (Ranks)arguments[2]);
        var (mean, variance, count) = Moments(x, weight, ranks);
        context.save_data(RanksKey, ranks);
        context.save_for_backward([x, weight, mean.alias(), count]);
        return [mean, variance];
    }

    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        if (is_grad_enabled())
            throw new NotSupportedException("Gradients of gradients are not defined through statistics over processes.");
        var saved = context.get_saved_variables();
        var (x, weight, mean, count) = (saved[0], saved[1], saved[2], saved[3]);
        var total = ((Ranks)context.get_data(RanksKey)).Sum(stack([gradients[0], gradients[1]]).to(ScalarType.Float64)).div(count);
        var (level, slope) = (total[0].to(x.dtype), total[1].mul(Scalars.Two).to(x.dtype));
        var own = x.sub(PerChannel(mean, x)).mul_(PerChannel(slope, x)).add_(PerChannel(level, x), Scalars.One).mul_(weight);
        return [own, null, null];
    }

    private static (Tensor Mean, Tensor Variance, Tensor Count) Moments(Tensor x, Tensor weight, Ranks ranks)
    {
        var dims = Enumerable.Range(0, (int)x.dim()).Where(d => d != 1).Select(d => (long)d).ToArray();
        Tensor Total(Tensor values) => values.sum(dims, type: ScalarType.Float64);
        var sums = ranks.Sum(stack([Total(weight.expand(x.shape)), Total(x.mul(weight))]));
        var count = sums[0].clamp_min(Scalars.One);
        var exact = sums[1].div(count);
        var mean = exact.to(x.dtype);
        var centred = x.sub(PerChannel(mean, x)).mul_(weight);
        var squares = ranks.Sum(Total(centred.mul_(centred))).div(count);
        var variance = squares.sub(mean.sub(exact).pow(Scalars.Two)).clamp_min(Scalars.Zero).to(x.dtype);
        return (mean, variance, count);
    }

    private static Tensor PerChannel(Tensor values, Tensor like) => RunningMoments.PerChannel(values, like.dim());
}
