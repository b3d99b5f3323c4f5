using System.Globalization;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>
/// Whether predicted distributions are as wide as they say: for each predicted number a histogram of where the true values fell,
/// which is flat if the model is calibrated, and the share of true values in central intervals against the probability of these.
/// </summary>
/// <remarks>
/// <para>A histogram like a U says that predictions are too narrow, like a hill that they are too wide, and a slope
/// that they are too low (rising) or too high (falling). A coverage curve below the diagonal says too narrow.</para>
/// <para>Grey bands are exact intervals of the binomial distribution for each count by itself
/// (<see cref="CalibrationPlotOptions.Confidence"/>): of 20 bins with bands of 99 %, one bin is
/// outside in about every fifth picture of a calibrated model. Neighbouring points of a coverage
/// curve share their examples, so a curve leaves its band over a stretch or not at all.</para>
/// <para>Sources: Gneiting, Balabdaoui and Raftery 2007 (probability integral transform); Talts
/// et al. 2018, https://arxiv.org/abs/1804.06788 (simulation-based calibration).</para>
/// </remarks>
public sealed class CalibrationPlot : Picture
{
    private const int MaxSeries = 12;

    private readonly CalibrationPlotOptions options;
    private readonly string unit;

    /// <summary>Makes the picture of probability integral transforms: u = P(prediction
    /// ≤ true value), uniform in 0 ... 1 if the model is calibrated.</summary>
    /// <param name="pit">(N), or (N, D) for D predicted numbers, D up to 12; all within 0 ... 1.</param>
    /// <param name="options">Names, bins and size; null takes the defaults.</param>
    /// <exception cref="ArgumentNullException"><paramref name="pit"/> is null.</exception>
    /// <exception cref="ArgumentException">A value is outside of 0 ... 1 or NaN, there is none, or an option is out of range.</exception>
    public CalibrationPlot(PlotData pit, CalibrationPlotOptions? options = null)
        : this("PIT value", OfPit(pit, options ?? new()), options ?? new()) { }

    private CalibrationPlot(string unit, IReadOnlyList<CalibrationSeries> series, CalibrationPlotOptions options)
        : base(2 * options.PanelWidth, series.Count * options.PanelHeight + CalibrationPanels.HeadOf(options)) =>
        (this.unit, Series, this.options) = (unit, series, options);

    /// <summary>Makes the picture of ranks, as simulation-based calibration gives them:
    /// how many of the draws from a posterior are below the true value.</summary>
    /// <param name="ranks">(N), or (N, D) for D parameters, D up to 12; whole numbers from 0 to <paramref name="draws"/>.</param>
    /// <param name="draws">The number of draws that each true value was compared
    /// with, at least 1. 99 gives 100 ranks, which bins share evenly.</param>
    /// <param name="options">Names, bins and size; null takes the defaults.</param>
    /// <exception cref="ArgumentNullException"><paramref name="ranks"/> is null.</exception>
    /// <exception cref="ArgumentException">A rank is no whole number from 0 to
    /// <paramref name="draws"/>, there is none, or an option is out of range.</exception>
    public static CalibrationPlot FromRanks(PlotData ranks, int draws, CalibrationPlotOptions? options = null) =>
        new("rank / draws", OfRanks(ranks, draws, options ?? new()), options ?? new());

    /// <summary>
    /// Makes the picture of a flow on data that it has not seen: for each row, draws of the flow
    /// under the row's context, and the ranks of the true values among them, feature by feature.
    /// </summary>
    /// <param name="flow">The flow, of up to 12 features. It is only read.</param>
    /// <param name="x">(N, D) true values, N at least 1.</param>
    /// <param name="context">(N, ...), the contexts of these rows, for a conditional flow.</param>
    /// <param name="draws">The number of draws for each row, at least 1.</param>
    /// <param name="seed">Makes the draws repeatable; null draws from torch's generator.</param>
    /// <param name="options">Names, bins and size; null takes the defaults.</param>
    /// <exception cref="ArgumentNullException">The flow or x is null.</exception>
    /// <exception cref="ArgumentException">Rows or contexts do not fit the flow,
    /// the numbers of rows differ, or an option is out of range.</exception>
    public CalibrationPlot(
        Flow flow, PlotData x, PlotData? context = null, int draws = 99, long? seed = 0, CalibrationPlotOptions? options = null)
        : this("rank / draws", OfFlow(flow, x, context, draws, seed, options ?? new()), options ?? new()) { }

    /// <summary>The numbers of each row of panels.</summary>
    public IReadOnlyList<CalibrationSeries> Series { get; }

    private protected override void Draw(SKCanvas canvas) => new CalibrationPanels(options, unit).Draw(canvas, Series, Width);

    private protected override string Describe() => Charts.Prefix(options.Title) + "Calibration. " + string.Join(" ", Series.Select(s =>
    {
        var level = s.Nominal.Count - 1;
        while (level > 0 && s.Nominal[level] > 0.905) level--;
        return string.Create(CultureInfo.InvariantCulture,
            $"{CalibrationPanels.Name(s)}{s.BinsOutside} of {s.BinCounts.Count} bins of {s.Count} values are outside of the " +
                $"{options.Confidence:P1} " +
                $"band; central intervals of ")
            + string.Create(CultureInfo.InvariantCulture, $"{s.Nominal[level]:P1} hold {s.Actual[level]:P1}.");
    }));

    private static IReadOnlyList<CalibrationSeries> OfPit(PlotData pit, CalibrationPlotOptions options)
    {
        var columns = Columns(pit, nameof(pit), options);
        foreach (var u in columns.SelectMany(c => c.Values))
            if (u is < 0 or > 1)
                throw new ArgumentException(
                    string.Create(CultureInfo.InvariantCulture, $"pit holds {u}; expected probabilities, 0 to 1. FromRanks takes ranks."),
                        nameof(pit));
        return [.. columns.Select(c => CalibrationNumbers.OfPit(c.Name, c.Values, options))];
    }

    private static IReadOnlyList<CalibrationSeries> OfFlow(
        Flow flow, PlotData x, PlotData? context, int draws, long? seed, CalibrationPlotOptions options)
    {
        ArgumentNullException.ThrowIfNull(flow);
        // before the draws
        CheckOptions(options);
        if (flow.InputShape.IsFixed && flow.InputShape.NumElements > MaxSeries)
            throw new ArgumentException(
                $"The flow has examples of {flow.InputShape.NumElements} numbers; expected at most {MaxSeries}, since each has a row of " +
                    $"panels. FromRanks takes ranks of the features to look at.", nameof(flow));
        return OfRanks(FlowRanks.Of(flow, x, context, draws, seed), draws,
            options with { Names = options.Names ?? FlowInput.Names(flow) });
    }

    private static IReadOnlyList<CalibrationSeries> OfRanks(PlotData ranks, int draws, CalibrationPlotOptions options)
    {
        if (draws < 1) throw new ArgumentException($"draws is {draws}; expected at least 1.", nameof(draws));
        var columns = Columns(ranks, nameof(ranks), options);
        foreach (var rank in columns.SelectMany(c => c.Values))
            if (rank != Math.Floor(rank) || rank < 0 || rank > draws)
                throw new ArgumentException(
                    string.Create(CultureInfo.InvariantCulture, $"ranks holds {rank}; expected whole numbers from 0 to draws = {draws}."),
                        nameof(ranks));
        return [.. columns.Select(c => CalibrationNumbers.OfRanks(c.Name, Array.ConvertAll(c.Values, r => (int)r), draws, options))];
    }

    private static IReadOnlyList<(string Name, double[] Values)> Columns(PlotData values, string name, CalibrationPlotOptions options)
    {
        ArgumentNullException.ThrowIfNull(values, name);
        CheckOptions(options);
        var columns = values.Columns(name);
        if (columns.Length > MaxSeries)
            throw new ArgumentException(
                $"{name} has {columns.Length} columns; expected at most {MaxSeries}, since each has a row of panels. Choose the columns " +
                $"to look at.", name);
        Check.Names(options.Names, columns.Length, "Names");
        Check.Finite([.. columns.SelectMany(c => c)], name);
        return [.. columns.Select((c, i) => (options.Names?[i] ?? (columns.Length == 1 ? "" : $"x{i + 1}"), c))];
    }

    private static void CheckOptions(CalibrationPlotOptions options)
    {
        if (options.Bins is < 2 or > 200) throw new ArgumentException($"Bins is {options.Bins}; expected 2 to 200.", nameof(options));
        if (!(options.Confidence is >= 0.5 and <= 0.9999))
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                $"Confidence is {options.Confidence}; expected 0.5 to 0.9999."), nameof(options));
        if (options.PanelWidth is < 200 or > 2000 || options.PanelHeight is < 150 or > 2000)
            throw new ArgumentException(
                $"A panel would be {options.PanelWidth} x {options.PanelHeight} pixels; expected 200 x 150 to 2000 x 2000.",
                nameof(options));
    }
}
