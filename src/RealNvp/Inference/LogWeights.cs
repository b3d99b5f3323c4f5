using System.Globalization;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The logarithms of importance weights, log p̃(x) - log q(x), with the checks of what a user's log-density gives.</summary>
internal static class LogWeights
{
    // a longer example would hide the message
    private const int MostValues = 8;

    /// <summary>log p̃(x) - log q(x) of shape (K), differentiable. Runs in the caller's dispose scope.</summary>
    /// <param name="logDensity">log p̃.</param>
    /// <param name="x">Samples of q, (K, ...).</param>
    /// <param name="logProb">log q(x), (K).</param>
    /// <param name="zeroAllowed">Whether a density of 0, log p̃ = -∞, is fine.</param>
    /// <param name="first">The number of the first sample, for errors.</param>
    /// <param name="owner">The method that errors name.</param>
    /// <param name="check">Whether the values are looked at, which waits for a device.</param>
    public static Tensor Of(Func<Tensor, Tensor> logDensity, Tensor x, Tensor logProb, bool zeroAllowed, long first, string owner,
        bool check = true)
    {
        var logTarget = logDensity(x);
        if (logTarget is null || logTarget.IsInvalid)
            throw new ArgumentException(
                $"{owner}: {nameof(logDensity)} gave {(logTarget is null ? "null" : "a disposed tensor")}; expected a log-density for " +
                $"each of the {x.shape[0]} points.", nameof(logDensity));
        if (logTarget.dim() != 1 || logTarget.shape[0] != x.shape[0])
            throw new ArgumentException(
                $"{owner} expects {nameof(logDensity)} to give shape {EventShape.Format([x.shape[0]])}, one number a point; got " +
                $"{EventShape.Format(logTarget.shape)}. Sum over all dimensions but the first.", nameof(logDensity));
        if (!logTarget.is_floating_point())
            throw new ArgumentException($"{owner} expects {nameof(logDensity)} to give a floating-point dtype; got {logTarget.dtype}.",
                nameof(logDensity));
        if (logTarget.device_type != x.device_type || logTarget.device_index != x.device_index)
            throw new ArgumentException(
                $"{owner}: the points are on {x.device}, but {nameof(logDensity)} gave a tensor on {logTarget.device}. Move what it " +
                $"computes with to {x.device}.", nameof(logDensity));
        var logWeight = logTarget.sub(logProb);
        if (check && Fault(logTarget, x, logProb, logWeight, zeroAllowed, first) is { } fault)
            throw new ArgumentException($"{owner}: {nameof(logDensity)} {fault}", nameof(logDensity));
        return logWeight;
    }

    // what is wrong with the first bad value, if there is one
    private static string? Fault(Tensor logTarget, Tensor x, Tensor logProb, Tensor logWeight, bool zeroAllowed, long first)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var good = logWeight.isfinite();
        if (zeroAllowed) good = good.logical_or(logTarget.isneginf().logical_and(logProb.isfinite()));
        if (good.all().Fetch<bool>()) return null;
        var at = good.logical_not().nonzero()[0].Fetch<long>();
        if (!x[at].isfinite().all().Fetch<bool>() || !logProb[at].isfinite().Fetch<bool>())
            throw new InvalidOperationException(
                $"Sample {first + at} of the flow, or its log-probability, is not finite. Train with a smaller learning rate or a limit " +
                $"on the gradient's norm.");
        var value = logTarget[at].to(float64).Fetch<double>();
        var hint = double.IsNegativeInfinity(value)
            ? "A point of q where p is 0 makes the divergence infinite: map the flow's output into the support of p, or give such " +
                "points a low but finite log-density."
            : "Check the function there; only finite values have a meaning" + (zeroAllowed ? ", and -∞ for a density of 0." : ".");
        return $"is {Text(value)} for sample {first + at}{Example(x[at])}. {hint}";
    }

    private static string Example(Tensor example) => example.numel() > MostValues
        ? ""
        : $", x = [{string.Join(", ", example.flatten().FetchDoubles().Select(Text))}]";

    private static string Text(double value) => value.ToString("G6", CultureInfo.InvariantCulture);
}
