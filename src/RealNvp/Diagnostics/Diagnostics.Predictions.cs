using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>One number at a time: PIT and CRPS.</content>
public static partial class Diagnostics
{
    /// <summary>
    /// Probability integral transform (Gneiting, Balabdaoui and Raftery 2007): the probability that the density gives to numbers below the
    /// true one, feature by feature, is uniform if the density is right.
    /// </summary>
    /// <remarks>Of a flow of one number over a base density that knows its distribution function (<see cref="IElementCdf"/>) it is exact.
    /// Otherwise it is the rank among draws; <see cref="LatentPit(Flow, Tensor, Tensor?, IReadOnlyList{string}?, double,
    /// CancellationToken)"/> is exact for flows of several numbers.</remarks>
    /// <param name="density">The density, such as a flow.</param>
    /// <param name="theta">(N, ...), the true values, finite; N at least 1.</param>
    /// <param name="context">(N, ...), their contexts; null for a density without.</param>
    /// <param name="draws">L, the draws for each row, at least 1; none are drawn if it is exact.</param>
    /// <param name="names">The names of the features; null for those of the columns of the flow (<see cref="Flow.Info"/>), or x1, x2,
    /// ...</param>
    /// <param name="level">The probability with which a right density is rejected, 0.0001 to 0.5.</param>
    /// <param name="seed">Makes the result repeatable.</param>
    /// <param name="progress">Hears how many rows are done.</param>
    /// <param name="cancellationToken">Ends the call between two groups of rows.</param>
    /// <exception cref="ArgumentException">An argument does not fit the density or the others; the message says which.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static CalibrationResult Pit(ConditionalDensity density, Tensor theta, Tensor? context = null, int draws = 199,
        IReadOnlyList<string>? names = null, double level = 0.05, long seed = 0, IProgress<long>? progress = null,
        CancellationToken cancellationToken = default)
    {
        const string owner = $"{nameof(Diagnostics)}.{nameof(Pit)}";
        var run = Calibration.Of(density, theta, context, draws, level, seed, owner, nameof(theta));
        var features = Names(names, run.Features, owner, "x", density.Flow);
        return density.Flow is { } flow && LatentProbabilities.IsExactFor(flow)
            ? LatentProbabilities.Result(LatentProbabilities.OfOne(flow, theta, context, cancellationToken), features, level)
            : run.Run(CalibrationKind.Pit, features, false, part => part.Flat, progress, cancellationToken);
    }

    /// <summary>
    /// The probability integral transform of each latent under the base density, exact and without a draw: if the flow is right, all N·D
    /// of them are independent and uniform.
    /// </summary>
    /// <remarks>If each latent depends on the numbers before it and rises with its own, as in one autoregressive
    /// layer in the natural order, it is P(xᵢ or less | x before i, context), the conditional distribution function
    /// of the feature. In any other flow it is a test of the whole density, by its latents.</remarks>
    /// <param name="flow">A flow over a base density that knows its distribution function (<see cref="IElementCdf"/>), as a standard
    /// normal does, without dequantization.</param>
    /// <param name="x">(N, ...), examples that it has not seen.</param>
    /// <param name="context">(N, ...), their contexts, for a conditional flow.</param>
    /// <param name="names">The names of the latents; null for z1, z2, ...</param>
    /// <param name="level">The probability with which a right flow is rejected, 0.0001 to 0.5.</param>
    /// <param name="cancellationToken">Ends the call between two groups of rows.</param>
    /// <exception cref="ArgumentException">The base density does not know its distribution function, the flow dequantizes, or an argument
    /// does not fit.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static CalibrationResult LatentPit(Flow flow, Tensor x, Tensor? context = null, IReadOnlyList<string>? names = null,
        double level = 0.05, CancellationToken cancellationToken = default)
    {
        const string owner = $"{nameof(Diagnostics)}.{nameof(LatentPit)}";
        var run = Calibration.Of(new(flow), x, context, 1, level, 0, owner, nameof(x));
        // a latent is of a column only in flows of one layer
        var latents = Names(names, run.Features, owner, "z", null);
        if (flow.BaseDensity is not IElementCdf)
            throw new ArgumentException(
                $"{owner} needs a base density that knows its distribution function ({nameof(IElementCdf)}); " +
                $"{flow.BaseDensity.GetName()} does not. {nameof(Sbc)} and {nameof(Pit)} need draws alone.", nameof(flow));
        if (flow.IsStochastic)
            throw new ArgumentException($"{owner} needs latents without noise, but this flow dequantizes, or a layer draws random numbers.",
                nameof(flow));
        return LatentProbabilities.Result(LatentProbabilities.Of(flow, x, context, cancellationToken), latents, level);
    }

    /// <summary>
    /// The continuous ranked probability score of one number, by draws and unbiased: how good predictions are, how much better than
    /// without the context, and whether they are as good as the density says of itself.
    /// </summary>
    /// <param name="density">The density, such as a flow.</param>
    /// <param name="theta">(N, ...), the true values, finite; N at least 1.</param>
    /// <param name="context">(N, ...), their contexts; null for a density without.</param>
    /// <param name="feature">Which number of a row, from 0; null if it has one.</param>
    /// <param name="draws">L, the draws for each row, at least 2.</param>
    /// <param name="name">What the number is called; null for the name of the column of the flow (<see cref="Flow.Info"/>), or x and its
    /// number.</param>
    /// <param name="level">The probability with which a right density is rejected, 0.0001 to 0.5.</param>
    /// <param name="seed">Makes the result repeatable.</param>
    /// <param name="progress">Hears how many rows are done.</param>
    /// <param name="cancellationToken">Ends the call between two groups of rows.</param>
    /// <exception cref="ArgumentException">An argument does not fit the density or the others; the message says which.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static CrpsResult Crps(ConditionalDensity density, Tensor theta, Tensor? context = null, int? feature = null, int draws = 199,
        string? name = null, double level = 0.05, long seed = 0, IProgress<long>? progress = null,
        CancellationToken cancellationToken = default)
    {
        const string owner = $"{nameof(Diagnostics)}.{nameof(Crps)}";
        var run = Calibration.Of(density, theta, context, draws, level, seed, owner, nameof(theta));
        if (draws < 2) throw new ArgumentOutOfRangeException(nameof(draws), draws, $"{owner} expects at least 2 draws.");
        if (feature is null && run.Features > 1)
            throw new ArgumentException(
                $"{owner} is of one number, and a row has {run.Features}: say which, such as {nameof(feature)}: 0.", nameof(feature));
        if (feature is { } f && (f < 0 || f >= run.Features))
            throw new ArgumentOutOfRangeException(nameof(feature), f, $"{owner} expects a number of a row, 0 to {run.Features - 1}.");
        using var gradients = no_grad();
        var rows = checked((int)theta.shape[0]);
        var sums = new CrpsSums(rows, draws, seed);
        run.Each(rows, false, part =>
        {
            var numbers = part.Flat.select(2, feature ?? 0).FetchDoubles();
            for (var row = 0; row < part.Flat.shape[0]; row++) sums.Add(numbers[(row * (draws + 1))..((row + 1) * (draws + 1))]);
        }, progress, cancellationToken);
        return sums.Result(name ?? Names(null, run.Features, owner, "x", density.Flow)[feature ?? 0], level);
    }
}
