using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Whether a density p(θ | context) is right, from pairs of true values θ and contexts that it has not seen, or whether two samples are
/// of one distribution. Each diagnostic gives a p-value, the numbers of its picture, and a sentence that says what it means.
/// </summary>
/// <remarks>
/// <para>The density is a flow, which converts by itself, or any sampler (<see cref="ConditionalDensity"/>). θ is what the density is of
/// (x in the methods of a flow), the context what it depends on: parameters and data of a simulator, or any two groups of columns.</para>
/// <para>No diagnostic sees every fault: docs/diagnostics.md has a table of faults and of who found them. Rows must be independent and
/// held out from training. Everything repeats with the seed, without gradients, some rows at a time.</para>
/// <para>Letters: N rows, D numbers of θ, L draws for each row. Thread safety: that of <see cref="Flow"/>.</para>
/// </remarks>
public static partial class Diagnostics
{
    private const int MaxDraws = 1 << 20, MaxForProducts = 8;

    /// <summary>
    /// Simulation-based calibration (Talts et al. 2018, https://arxiv.org/abs/1804.06788): the rank of each true value among draws under
    /// its context is uniform if the density is right. It looks at each parameter, at log p(θ | context) if that is known, and at the
    /// product of each two parameters, which shows their correlation.
    /// </summary>
    /// <remarks>Ranks of parameters and of log p alone do not see a density that ignores the context: give <paramref name="quantities"/>
    /// that depend on both, such as a likelihood, or see <see cref="Tarp(ConditionalDensity, Tensor, Tensor?, Tensor?, int, double, long,
    /// IProgress{long}?, CancellationToken)"/>. A product is of distances from the mean of true value and draws of the row.</remarks>
    /// <param name="density">The density, such as a flow.</param>
    /// <param name="theta">(N, ...), the true values, finite; N at least 1, some hundreds to find small faults.</param>
    /// <param name="context">(N, ...), their contexts; null for a density without.</param>
    /// <param name="draws">L, the draws for each row, at least 1. 199 gives 200 ranks.</param>
    /// <param name="products">Whether products of two parameters are looked at, if there are at most 8 parameters.</param>
    /// <param name="quantities">More quantities to look at; null for none.</param>
    /// <param name="names">The names of the D parameters; null for those of the columns of the flow (<see cref="Flow.Info"/>), or θ1, θ2,
    /// ...</param>
    /// <param name="level">The probability with which a right density is rejected, 0.0001 to 0.5.</param>
    /// <param name="seed">Makes the result repeatable.</param>
    /// <param name="progress">Hears how many rows are done.</param>
    /// <param name="cancellationToken">Ends the call between two groups of rows.</param>
    /// <exception cref="ArgumentException">An argument does not fit the density or the others; the message says which.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static CalibrationResult Sbc(ConditionalDensity density, Tensor theta, Tensor? context = null, int draws = 199,
        bool products = true, IReadOnlyList<TestQuantity>? quantities = null, IReadOnlyList<string>? names = null, double level = 0.05,
        long seed = 0, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        const string owner = $"{nameof(Diagnostics)}.{nameof(Sbc)}";
        var run = Calibration.Of(density, theta, context, draws, level, seed, owner, nameof(theta));
        var parameters = Names(names, run.Features, owner, "θ", density.Flow, [TestQuantity.LogProb,
            .. (quantities ?? []).Select(q => q?.Name ?? "")]);
        foreach (var quantity in quantities ?? [])
            if (quantity is not { Name.Length: > 0, Values: not null })
                throw new ArgumentException($"{owner} got a quantity without a name or a function.", nameof(quantities));
        var pairs = products && run.Features <= MaxForProducts ? Pairs(parameters.Length) : [];
        string[] all = [.. parameters, .. (density.HasLogProb ? new[] { TestQuantity.LogProb } : []),
            .. pairs.Select(p => Product(parameters, p)), .. (quantities ?? []).Select(q => q.Name)];
        // a quantity of the caller's may have the name of a parameter, of a product or of log p
        NameCheck.Require(all, "quantity", quantities is null ? nameof(names) : nameof(quantities), $"{owner}: ");
        return run.Run(CalibrationKind.Sbc, all, density.HasLogProb, part =>
        {
            List<Tensor> columns = [part.Flat];
            if (part.LogProb is { } logProb) columns.Add(logProb.unsqueeze(2));
            if (pairs.Length > 0)
            {
                var centered = part.Flat.sub(part.Flat.mean([1], true));
                columns.Add(stack([.. pairs.Select(p => centered.select(2, p.Item1).mul(centered.select(2, p.Item2)))], 2));
            }
            foreach (var quantity in quantities ?? []) columns.Add(part.Of(quantity, owner).unsqueeze(2));
            return cat(columns, 2);
        }, progress, cancellationToken);
    }

    /// <summary>
    /// Expected coverage of regions of highest density (Hermans et al. 2022, https://arxiv.org/abs/2110.06581): of all true values, 90 %
    /// lie in the region of highest density that holds 90 %, if the density is right. The region of a true value is that of the draws
    /// whose log p is higher than its own.
    /// </summary>
    /// <remarks>It does not see a density that ignores the context and is right without it.</remarks>
    /// <inheritdoc cref="Sbc(ConditionalDensity, Tensor, Tensor?, int, bool, IReadOnlyList{TestQuantity}?, IReadOnlyList{string}?, double,
    /// long, IProgress{long}?, CancellationToken)" path="/param"/>
    /// <exception cref="ArgumentException">log p of the density is not known, as of a flow that dequantizes, or an argument does not
    /// fit.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static CalibrationResult Coverage(ConditionalDensity density, Tensor theta, Tensor? context = null, int draws = 199,
        double level = 0.05, long seed = 0, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        const string owner = $"{nameof(Diagnostics)}.{nameof(Coverage)}";
        var run = Calibration.Of(density, theta, context, draws, level, seed, owner, nameof(theta));
        if (!density.HasLogProb)
            throw new ArgumentException(
                $"{owner} needs log p of the density: give logProb beside the sampler, or a flow that does not dequantize. " +
                $"{nameof(Tarp)} needs draws alone.", nameof(density));
        return run.Run(CalibrationKind.Coverage, ["credibility"], true, part => part.LogProb!.neg().unsqueeze(2), progress,
            cancellationToken);
    }

    /// <summary>
    /// Tests of accuracy with random points (Lemos et al. 2023, https://arxiv.org/abs/2302.03026): balls about a reference point that
    /// hold 90 % of the draws hold 90 % of the true values, if the density is right, wherever the reference is. It needs draws alone.
    /// </summary>
    /// <remarks>
    /// A reference may depend on the context, and must if a density that ignores the context is to be found; it must not depend on the
    /// true value of its own row. Without <paramref name="references"/>, that of a row is the true value of the row before it, among the
    /// last 2,000, whose context is nearest; so values of different rows stay independent. Distances are in standard deviations
    /// of the draws, number by number.
    /// </remarks>
    /// <param name="density">The density, such as a flow.</param>
    /// <param name="theta">(N, ...), the true values, finite; N at least 1.</param>
    /// <param name="context">(N, ...), their contexts; null for a density without.</param>
    /// <param name="references">(N, ...), a point for each row; null for the rule above.</param>
    /// <param name="draws">L, the draws for each row, at least 1.</param>
    /// <param name="level">The probability with which a right density is rejected, 0.0001 to 0.5.</param>
    /// <param name="seed">Makes the result repeatable.</param>
    /// <param name="progress">Hears how many rows are done.</param>
    /// <param name="cancellationToken">Ends the call between two groups of rows.</param>
    /// <exception cref="ArgumentException">An argument does not fit the density or the others; the message says which.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static CalibrationResult Tarp(ConditionalDensity density, Tensor theta, Tensor? context = null, Tensor? references = null,
        int draws = 199, double level = 0.05, long seed = 0, IProgress<long>? progress = null,
        CancellationToken cancellationToken = default)
    {
        const string owner = $"{nameof(Diagnostics)}.{nameof(Tarp)}";
        var run = Calibration.Of(density, theta, context, draws, level, seed, owner, nameof(theta));
        if (references is not null)
        {
            Check.Tensor(references, nameof(references));
            if (!references.shape.SequenceEqual(theta.shape))
                throw new ArgumentException(
                    $"{owner} expects {nameof(references)} of shape {EventShape.Format(theta.shape)}, a point for each row; got " +
                    $"{EventShape.Format(references.shape)}.", nameof(references));
            Check.Finite(references, nameof(references), owner);
        }
        using var scope = NewDisposeScope();
        var points = references is null ? References.Of(theta, context) : references.reshape(references.shape[0], -1).to(float64);
        return run.Run(CalibrationKind.Tarp, ["credibility"], false, part =>
        {
            var reference = points.narrow(0, part.Start, part.Flat.shape[0]).to(part.Flat.device).unsqueeze(1);
            var away = part.Flat.sub(reference);
            // in units of the farthest first, so that no square is 0 or infinite; draws that are all one have no spread
            var farthest = away.abs().amax([1L], keepdim: true);
            away = away.div(where(farthest.gt(Scalars.Zero), farthest, ones_like(farthest)));
            var spread = away.std(1, keepdim: true).clamp_min(Scalars.Of(1e-30));
            return away.div(spread).pow(Scalars.Two).sum([2]).unsqueeze(2);
        }, progress, cancellationToken);
    }

    internal static void CheckLevel(double level, string owner)
    {
        if (!(level is >= 0.0001 and <= 0.5))
            throw new ArgumentOutOfRangeException(nameof(level), level, $"{owner} expects a level of 0.0001 to 0.5.");
    }

    internal static void CheckDraws(int draws, string owner)
    {
        if (draws is < 1 or > MaxDraws)
            throw new ArgumentOutOfRangeException(nameof(draws), draws, $"{owner} expects 1 to {MaxDraws} draws.");
    }

    // names that the caller gives are checked; those of the flow's columns are taken if results can tell them apart
    private static string[] Names(IReadOnlyList<string>? names, long count, string owner, string letter, Flow? flow,
        params IReadOnlyList<string> taken)
    {
        if (names is null && flow?.Info.Columns is { } columns && columns.Count == count
            && !columns.Any(string.IsNullOrWhiteSpace) && NameCheck.Twice([.. columns, .. Pairs(columns.Count > MaxForProducts
                ? 0 : columns.Count).Select(p => Product(columns, p)), .. taken]) is null) return [.. columns];
        if (names is null) return count == 1 ? [letter] : [.. Enumerable.Range(1, (int)count).Select(i => FormattableString.Invariant(
            $"{letter}{i}"))];
        if (names.Count != count)
            throw new ArgumentException($"{owner} expects a name for each of the {count} numbers of a row; got {names.Count} names.",
                nameof(names));
        NameCheck.Require(names, "parameter", nameof(names), $"{owner}: ");
        return [.. names];
    }

    private static string Product(IReadOnlyList<string> names, (int One, int Two) pair) => $"{names[pair.One]}·{names[pair.Two]}";

    private static (int, int)[] Pairs(int count) =>
        [.. Enumerable.Range(0, count).SelectMany(i => Enumerable.Range(i + 1, count - i - 1).Select(j => (i, j)))];
}
