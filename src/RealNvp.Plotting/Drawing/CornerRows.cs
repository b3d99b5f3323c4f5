using static TorchSharp.torch;

namespace RealNvp.Plotting;

/// <summary>The columns that a corner plot shows, of data or of samples.</summary>
internal sealed class CornerRows
{
    private const int MaxFeatures = 12, UsualFeatures = 8, MaxSamples = 20_000;

    private CornerRows(double[][] columns, int notFinite) => (Columns, NotFinite) = (columns, notFinite);

    /// <summary>One array for each feature.</summary>
    public double[][] Columns { get; }

    /// <summary>The number of rows.</summary>
    public int Count => Columns[0].Length;

    /// <summary>The number of rows that were left out.</summary>
    public int NotFinite { get; }

    public static (CornerRows Data, CornerRows? Samples, string[] Names, int All) Of(PlotData data, PlotData? samples,
        CornerPlotOptions options)
    {
        ArgumentNullException.ThrowIfNull(data);
        if (options.Bins is < 2 or > 200) throw new ArgumentException($"Bins is {options.Bins}; expected 2 to 200.", nameof(options));
        if (options.PanelSize is < 60 or > 1000)
            throw new ArgumentException($"PanelSize is {options.PanelSize}; expected 60 to 1000.", nameof(options));
        var rows = data.Columns(nameof(data));
        Check.Names(options.Names, rows.Length, nameof(options.Names));
        var shown = Shown(options.Features, rows.Length);
        // columns that are not shown may hold what they like
        Check.Finite([.. shown.SelectMany(f => rows[f])], nameof(data));
        CornerRows? other = null;
        if (samples is not null)
        {
            var columns = samples.Columns(nameof(samples));
            if (columns.Length != rows.Length)
                throw new ArgumentException($"samples has {columns.Length} features and data has {rows.Length}; expected equally many.",
                    nameof(samples));
            other = Finite([.. shown.Select(f => columns[f])]);
        }
        return (new CornerRows([.. shown.Select(f => rows[f])], 0), other, [.. shown.Select(f => options.Names?[f] ?? $"x{f + 1}")],
            rows.Length);
    }

    /// <summary>Samples of a flow, (M, D): one for each row of the data, up to 20,000.</summary>
    public static PlotData Samples(Flow flow, PlotData data, PlotData? context, long seed)
    {
        using var scope = NewDisposeScope();
        var count = FlowInput.Rows(flow, data, nameof(data)).size(0);
        var shown = Math.Min(count, MaxSamples);
        var contexts = FlowInput.Contexts(flow, context, count);
        // one sample under each context, (N, 1, ...)
        var samples = contexts is null ? flow.Sample(shown, seed: seed) : flow.Sample(1, contexts.narrow(0, 0, shown), seed: seed);
        return samples.reshape(shown, -1);
    }

    /// <summary>The number of rows that lie beyond an axis.</summary>
    public int CountBeyond(IReadOnlyList<(double Low, double High)> ranges) =>
        Enumerable.Range(0, Count).Count(r => ranges.Where((range, f) => Columns[f][r] < range.Low || Columns[f][r] > range.High).Any());

    private static int[] Shown(IReadOnlyList<int>? asked, int features)
    {
        if (asked is null) return [.. Enumerable.Range(0, Math.Min(features, UsualFeatures))];
        if (asked.Count is < 1 or > MaxFeatures)
            throw new ArgumentException(
                $"Features holds {asked.Count} features; expected 1 to {MaxFeatures}, since each has a row of panels.");
        foreach (var feature in asked)
            if (feature < 0 || feature >= features)
                throw new ArgumentException(
                    $"Features holds {feature}, but the data have {features} features; expected 0 to {features - 1}.");
        if (asked.Distinct().Count() != asked.Count)
            throw new ArgumentException($"Features holds a feature twice: {string.Join(", ", asked)}; expected each once.");
        return [.. asked];
    }

    private static CornerRows Finite(double[][] samples)
    {
        var kept = Enumerable.Range(0, samples[0].Length).Where(r => samples.All(c => double.IsFinite(c[r]))).ToArray();
        if (kept.Length == 0)
            throw new ArgumentException(
                $"None of the {samples[0].Length} rows of samples is finite; expected at least one row to draw.", nameof(samples));
        return new CornerRows([.. samples.Select(c => kept.Select(r => c[r]).ToArray())], samples[0].Length - kept.Length);
    }
}
