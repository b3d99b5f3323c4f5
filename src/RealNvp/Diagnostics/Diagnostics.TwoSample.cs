using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>Two samples, or true values and draws.</content>
public static partial class Diagnostics
{
    private const int MaxRows = 1 << 20, MaxRowsOfMmd = 10_000;
    private const long MaxLabels = 1 << 28;

    /// <summary>
    /// Classifier two-sample test (Lopez-Paz and Oquab 2017, https://arxiv.org/abs/1610.06545): a classifier is trained on one half of the
    /// rows of both samples and tries to tell the other half apart. If the samples are of one distribution, the labels of held-out rows
    /// are exchangeable, so they alone are permuted and nothing is trained again.
    /// </summary>
    /// <remarks>The classifier is a logistic regression with a penalty on numbers, their products and random cosines: it has one optimum,
    /// so the same seed gives the same result in milliseconds; a network would be noisy on some hundreds of rows.</remarks>
    /// <param name="a">(A, ...), the first sample; at least 4 rows, independent.</param>
    /// <param name="b">(B, ...), the second one, of rows of the same shape.</param>
    /// <param name="permutations">How often labels are permuted, 19 to 100,000; the smallest p-value is 1/(1 + permutations).</param>
    /// <param name="maxRows">The most rows of each sample that are used; of more, some are chosen by the seed. At least 4.</param>
    /// <param name="level">The probability with which samples of one distribution are rejected, 0.0001 to 0.5.</param>
    /// <param name="seed">Makes the result repeatable.</param>
    /// <exception cref="ArgumentException">Shapes differ, there are too few rows, a value is not finite, or a number is out of
    /// range.</exception>
    public static TwoSampleResult C2st(Tensor a, Tensor b, int permutations = 999, int maxRows = 10_000, double level = 0.05,
        long seed = 0) => SampleClassifier.Test(Two(a, b, permutations, maxRows, level, seed, nameof(C2st)), permutations, level, seed);

    /// <summary>As the other one, between true values and a draw for each, with the context beside both: labels are swapped within a
    /// row.</summary>
    /// <remarks>It sees a density that ignores the context.</remarks>
    /// <param name="density">The density, such as a flow.</param>
    /// <param name="theta">(N, ...), the true values; N at least 8.</param>
    /// <param name="context">(N, ...), their contexts; null for a density without.</param>
    /// <param name="permutations">How often labels are swapped, 19 to 100,000.</param>
    /// <param name="maxRows">The most rows that are used; of more, some are chosen by the seed. At least 8.</param>
    /// <param name="level">The probability with which a right density is rejected, 0.0001 to 0.5.</param>
    /// <param name="seed">Makes the result repeatable.</param>
    /// <param name="cancellationToken">Ends the call between two groups of rows.</param>
    /// <exception cref="ArgumentException">An argument does not fit the density or the others; the message says which.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static TwoSampleResult C2st(ConditionalDensity density, Tensor theta, Tensor? context = null, int permutations = 999,
        int maxRows = 10_000, double level = 0.05, long seed = 0, CancellationToken cancellationToken = default) =>
        SampleClassifier.Test(Two(density, theta, context, permutations, maxRows, level, seed, nameof(C2st), cancellationToken),
            permutations, level, seed);

    /// <summary>Maximum mean discrepancy with Gaussian kernels as wide as the median distance of rows, half and twice of it
    /// (Gretton et al., JMLR 13, 2012), and its permutation test. Work and memory grow with the square of the rows.</summary>
    /// <param name="a">(A, ...), the first sample; at least 4 rows, independent.</param>
    /// <param name="b">(B, ...), the second one, of rows of the same shape.</param>
    /// <param name="permutations">How often labels are permuted, 19 to 100,000.</param>
    /// <param name="maxRows">The most rows of each sample that are used; of more, some are chosen by the seed. 4 to 10,000.</param>
    /// <param name="level">The probability with which samples of one distribution are rejected, 0.0001 to 0.5.</param>
    /// <param name="seed">Makes the result repeatable.</param>
    /// <exception cref="ArgumentException">Shapes differ, there are too few rows, a value is not finite, or a number is out of
    /// range.</exception>
    public static TwoSampleResult Mmd(Tensor a, Tensor b, int permutations = 499, int maxRows = 1000, double level = 0.05, long seed = 0) =>
        SampleDistances.Mmd(Two(a, b, permutations, maxRows, level, seed, nameof(Mmd)), permutations, level, seed);

    /// <summary>As the other one, between true values and a draw for each, with the context beside both: labels are swapped within a
    /// row.</summary>
    /// <param name="density">The density, such as a flow.</param>
    /// <param name="theta">(N, ...), the true values; N at least 8.</param>
    /// <param name="context">(N, ...), their contexts; null for a density without.</param>
    /// <param name="permutations">How often labels are swapped, 19 to 100,000.</param>
    /// <param name="maxRows">The most rows that are used; of more, some are chosen by the seed. At least 8.</param>
    /// <param name="level">The probability with which a right density is rejected, 0.0001 to 0.5.</param>
    /// <param name="seed">Makes the result repeatable.</param>
    /// <param name="cancellationToken">Ends the call between two groups of rows.</param>
    /// <exception cref="ArgumentException">An argument does not fit the density or the others; the message says which.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static TwoSampleResult Mmd(ConditionalDensity density, Tensor theta, Tensor? context = null, int permutations = 499,
        int maxRows = 1000, double level = 0.05, long seed = 0, CancellationToken cancellationToken = default) =>
        SampleDistances.Mmd(Two(density, theta, context, permutations, maxRows, level, seed, nameof(Mmd), cancellationToken),
            permutations, level, seed);

    /// <summary>The sliced Wasserstein distance: W₁ of the projections on 100 random directions, on average, in standard deviations of the
    /// numbers of both samples (Bonneel et al. 2015), and its permutation test.</summary>
    /// <param name="a">(A, ...), the first sample; at least 4 rows, independent.</param>
    /// <param name="b">(B, ...), the second one, of rows of the same shape.</param>
    /// <param name="permutations">How often labels are permuted, 19 to 100,000.</param>
    /// <param name="maxRows">The most rows of each sample that are used; of more, some are chosen by the seed. At least 4.</param>
    /// <param name="level">The probability with which samples of one distribution are rejected, 0.0001 to 0.5.</param>
    /// <param name="seed">Makes the result repeatable.</param>
    /// <exception cref="ArgumentException">Shapes differ, there are too few rows, a value is not finite, or a number is out of
    /// range.</exception>
    public static TwoSampleResult SlicedWasserstein(Tensor a, Tensor b, int permutations = 499, int maxRows = 2000, double level = 0.05,
        long seed = 0) => SampleDistances.SlicedWasserstein(Two(a, b, permutations, maxRows, level, seed, nameof(SlicedWasserstein)),
            permutations, level, seed);

    /// <summary>As the other one, between true values and a draw for each, with the context beside both: labels are swapped within a
    /// row.</summary>
    /// <param name="density">The density, such as a flow.</param>
    /// <param name="theta">(N, ...), the true values; N at least 8.</param>
    /// <param name="context">(N, ...), their contexts; null for a density without.</param>
    /// <param name="permutations">How often labels are swapped, 19 to 100,000.</param>
    /// <param name="maxRows">The most rows that are used; of more, some are chosen by the seed. At least 8.</param>
    /// <param name="level">The probability with which a right density is rejected, 0.0001 to 0.5.</param>
    /// <param name="seed">Makes the result repeatable.</param>
    /// <param name="cancellationToken">Ends the call between two groups of rows.</param>
    /// <exception cref="ArgumentException">An argument does not fit the density or the others; the message says which.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static TwoSampleResult SlicedWasserstein(ConditionalDensity density, Tensor theta, Tensor? context = null,
        int permutations = 499, int maxRows = 2000, double level = 0.05, long seed = 0, CancellationToken cancellationToken = default) =>
        SampleDistances.SlicedWasserstein(Two(density, theta, context, permutations, maxRows, level, seed, nameof(SlicedWasserstein),
            cancellationToken), permutations, level, seed);

    private static TwoSamples Two(Tensor a, Tensor b, int permutations, int maxRows, double level, long seed, string method)
    {
        var owner = CheckedNumbers(permutations, maxRows, level, 4, method);
        return TwoSamples.Of(a, b, maxRows, seed, owner);
    }

    private static TwoSamples Two(ConditionalDensity density, Tensor theta, Tensor? context, int permutations, int maxRows, double level,
        long seed, string method, CancellationToken token)
    {
        var owner = CheckedNumbers(permutations, maxRows, level, 8, method);
        Check.Tensor(theta, nameof(theta));
        if (theta.dim() > 0 && theta.shape[0] is > 0 and < 8)
            throw new ArgumentException($"{owner} needs at least 8 rows; {nameof(theta)} has {theta.shape[0]}.", nameof(theta));
        return TwoSamples.Of(density, theta, context, maxRows, level, seed, owner, token);
    }

    private static string CheckedNumbers(int permutations, int maxRows, double level, int least, string method)
    {
        var owner = $"{nameof(Diagnostics)}.{method}";
        if (permutations is < 19 or > 100_000)
            throw new ArgumentOutOfRangeException(nameof(permutations), permutations, $"{owner} expects 19 to 100000 permutations.");
        // kernels are of each two rows
        var most = method == nameof(Mmd) ? MaxRowsOfMmd : MaxRows;
        if (maxRows < least || maxRows > most)
            throw new ArgumentOutOfRangeException(nameof(maxRows), maxRows, $"{owner} expects {nameof(maxRows)} of {least} to {most}.");
        if (method == nameof(SlicedWasserstein) && 2L * maxRows * permutations > MaxLabels)
            throw new ArgumentOutOfRangeException(nameof(permutations), permutations,
                $"{owner} with {nameof(maxRows)} of {maxRows} takes at most {MaxLabels / (2L * maxRows)} permutations. Take fewer rows " +
                $"or permutations.");
        CheckLevel(level, owner);
        return owner;
    }
}
