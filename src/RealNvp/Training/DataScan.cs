using System.Globalization;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Looks over the columns of vectors before training for what the user should know: values so far
/// out that they squeeze all others, and digits that the dtype of the weights has no room for.
/// </summary>
internal sealed class DataScan : IDisposable
{
    // scales from the median; a log-normal or a table of prices stays below, a value of another unit does not
    private const double Far = 50;

    // the same in standard deviations of all other values, for a column of which half of the values are equal
    private const double FarFromOthers = 30;

    // beyond this factor of the scale of latents, data that nothing scales are hard to reach by a path
    private const double Long = 50;

    private const int MostColumns = 5;

    private readonly string what;
    // columns that a velocity has to reach as they are; empty if a layer scales them, or no layer follows a velocity
    private readonly HashSet<int> reached;
    private readonly FeatureMoments moments = new();
    private readonly FeatureSample sample = new();
    private (double Value, long Row)[] least = [], most = [];
    private long rows;

    private DataScan(string what, HashSet<int> reached) => (this.what, this.reached) = (what, reached);

    private static HashSet<int> Reached(Flow flow)
    {
        var modules = flow.modules().ToArray();
        if (!modules.OfType<IFollowsVelocity>().Any() || modules.OfType<IFitsData>().Any(m => m is Bijection)) return [];
        return [.. Enumerable.Range(0, (int)flow.InputShape[0])
            .Except(modules.OfType<IFollowsVelocity>().SelectMany(m => m.Dynamics.CircularFeatures).Select(c => c.Feature))];
    }

    /// <summary>What there is to say of data in tensors for a flow.</summary>
    /// <param name="flow">The flow.</param>
    /// <param name="data">The examples of this process.</param>
    /// <param name="group">Who has others; null if these are all. What is said is of all then.</param>
    public static IReadOnlyList<string> Of(Flow flow, TrainingData data, ProcessGroup? group)
    {
        var found = new List<string>();
        if (data.Whole is not { } whole) return found;
        if (flow.InputShape.Count == 1 && !flow.Bijection.AcceptsIntegers)
            found.AddRange(Of(whole.X, "column", flow.Bijection.ConvertsDtype ? null : flow.WeightType, Reached(flow),
                group));
        if (whole.Context is { } context && flow.ContextEncoder is null or ContextStandardization)
            found.AddRange(Of(context, "context column", flow.ContextEncoder is null ? flow.WeightType : null, [], group));
        return found;
    }

    private static List<string> Of(Tensor x, string what, ScalarType? weights, HashSet<int> reached, ProcessGroup? group)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        // on all processes, or on none
        var skips = !x.is_floating_point() || x.dim() != 2;
        if (group is null ? skips : group.Sum(tensor([skips ? 1.0 : 0])).FetchDouble() > 0) return [];
        using var scan = new DataScan(what, reached);
        foreach (var part in Batch.Rows(x.detach())) scan.Add(part);
        return scan.Findings(x.dtype == ScalarType.Float64 && weights == ScalarType.Float32, group);
    }

    /// <summary>A look at the data of a loader, batch by batch; null if there is nothing to look at.</summary>
    public static DataScan? OfColumns(Flow flow) =>
        flow.InputShape.Count == 1 && !flow.Bijection.AcceptsIntegers ? new DataScan("column", Reached(flow)) : null;

    /// <summary>What there is to say of a loader's batches, once all were added.</summary>
    /// <param name="group">Who has other rows; null if these are all.</param>
    public List<string> Findings(ProcessGroup? group) => Findings(rounds: false, group);

    /// <summary>Adds the next rows (N, D).</summary>
    public void Add(Tensor part)
    {
        if (part.shape[0] == 0) return;
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        moments.Add(part);
        sample.Add(part);
        var (low, lowAt) = part.min(0);
        var (high, highAt) = part.max(0);
        least = Joined(least, low, lowAt, (a, b) => a < b);
        most = Joined(most, high, highAt, (a, b) => a > b);
        rows += part.shape[0];
    }

    private (double, long)[] Joined((double Value, long Row)[] before, Tensor values, Tensor at, Func<double, double, bool> beats)
    {
        var (numbers, places) = (values.FetchDoubles(), at.FetchInt64s());
        return [.. numbers.Select((value, i) => before.Length == 0 || beats(value, before[i].Value) ? (value, rows + places[i])
            : before[i])];
    }

    // what a part of the rows has in common, or far out, is nothing to say of all of them
    private void Join(ProcessGroup group)
    {
        var counts = group.Gather(tensor([(double)rows])).FetchDoubles();
        var first = counts.Take(group.Rank).Sum();
        (double, long)[] All((double Value, long Row)[] own, Func<double, double, bool> beats)
        {
            var said = group.Gather(tensor([.. own.SelectMany(o => new[] { o.Value, first + o.Row })])).FetchDoubles();
            return [.. own.Select((_, c) => Enumerable.Range(0, group.Size).Select(rank => (rank * 2 * own.Length) + (2 * c))
                .Select(at => (Value: said[at], Row: (long)said[at + 1])).Aggregate((a, b) => beats(b.Value, a.Value) ? b : a))];
        }
        (least, most) = (All(least, (a, b) => a < b), All(most, (a, b) => a > b));
        moments.Join(group);
        sample.Join(group);
        rows = (long)counts.Sum();
    }

    private List<string> Findings(bool rounds, ProcessGroup? group)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        if (group is not null) Join(group);
        if (rows < 3) return [];
        var q = sample.Quantiles(0.5, 0.25, 0.75);
        var (medians, lows, highs) = (q[0].FetchDoubles(), q[1].FetchDoubles(), q[2].FetchDoubles());
        var (means, variances) = (moments.Mean.FetchDoubles(), moments.Variance().FetchDoubles());
        var (far, rounded, constant, distant) = (new List<string>(), new List<string>(), new List<string>(), new List<string>());
        for (var c = 0; c < medians.Length; c++)
        {
            // rounding leaves a constant some deviation, from which nothing is far
            if (least[c].Value == most[c].Value)
            {
                constant.Add(Text($"{what} {c} is {medians[c]:G6} in all rows"));
                continue;
            }
            var (value, row) = Math.Abs(least[c].Value - medians[c]) > Math.Abs(most[c].Value - medians[c]) ? least[c] : most[c];
            var scale = (highs[c] - lows[c]) / 1.349;
            var away = scale > 0 ? Math.Abs(value - medians[c]) / scale : DeviationsOfOthers(value, means[c], variances[c]);
            if (away > (scale > 0 ? Far : FarFromOthers))
                far.Add(double.IsInfinity(away)
                    ? Text($"{what} {c} holds {value:G6} in row {row}, while all other values are {medians[c]:G6}")
                    : Text($"{what} {c} holds {value:G6} in row {row}, {away:G3} times the scale of the others") +
                        Text($" away from their middle, {medians[c]:G4}"));
            var width = scale > 0 ? scale : Math.Sqrt(variances[c]);
            if (reached.Contains(c) && (Math.Abs(medians[c]) > Long || width > Long || width < 1 / Long))
                distant.Add(Text($"{what} {c} has values near {medians[c]:G4} with a scale of {width:G3}"));
            var step = MathF.BitIncrement((float)Math.Max(Math.Abs(least[c].Value), Math.Abs(most[c].Value)))
                - (float)Math.Max(Math.Abs(least[c].Value), Math.Abs(most[c].Value));
            if (rounds && width > 0 && step > 0.01 * width)
                rounded.Add(Text(
                    $"{what} {c} has values near {medians[c]:G6} with a scale of {width:G3}, where float32 has steps of {step:G3}"));
        }
        var result = new List<string>();
        if (constant.Count > 0)
            result.Add(Sentence(constant) + (what == "context column" ? ". It says nothing; leave it out."
                : ". The density of a constant has no finite value: training finds ever larger ones. Leave it out."));
        if (far.Count > 0)
            result.Add(Sentence(far)
                + ". A mean and a standard deviation let such values squeeze all others. Look at these rows; or build the model with " +
                "Scaling = FeatureScaling.Quantiles and TailThreshold = 3.");
        if (distant.Count > 0)
            result.Add(Sentence(distant)
                + ". Latents have a scale of 1, and no layer scales the data: a velocity that leads from one to the other " +
                "is hard to learn. Begin the flow with a Standardization: Standardize = true in the options.");
        if (rounded.Count > 0)
            result.Add(Sentence(rounded)
                + ". Digits are lost there. Begin the flow with a Standardization, which computes in the dtype of the data, or train in " +
                "float64: model.to(torch.float64).");
        return result;
    }

    // with the value itself left out: in a small sample a value far out hides behind the deviation that it makes
    private double DeviationsOfOthers(double value, double mean, double variance)
    {
        double n = moments.Count;
        var others = mean - ((value - mean) / (n - 1));
        var left = ((variance * n) - ((value - mean) * (value - others))) / (n - 1);
        return left > 1e-12 * variance ? Math.Abs(value - others) / Math.Sqrt(left) : double.PositiveInfinity;
    }

    private static string Sentence(List<string> parts)
    {
        var text = string.Join("; ", parts.Take(MostColumns)) + (parts.Count > MostColumns ? Text($"; and {parts.Count - MostColumns} more")
            : "");
        return char.ToUpperInvariant(text[0]) + text[1..];
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    public void Dispose()
    {
        moments.Dispose();
        sample.Dispose();
    }
}
