using System.Globalization;
using RealNvp.Describing;

namespace RealNvp;

/// <summary>What <see cref="FlowModel.Fit(DataRows, DataRows, FitOptions, IProgress{TrainingProgress}, CancellationToken)"/>
/// did and what came of it. As text it is a paragraph for a log.</summary>
[TypeFormatterSource(typeof(HtmlFormatterSource))]
public sealed class FitReport : IHtml
{
    internal FitReport() { }

    /// <summary>What was built and why, such as "SplineFlowModel, the preset for 5,000 rows of 6 columns".</summary>
    public required string Model { get; init; }

    /// <summary>The names of the columns; null if none were given.</summary>
    public required IReadOnlyList<string>? Columns { get; init; }

    /// <summary>The number of rows that were trained on.</summary>
    public required long TrainingRows { get; init; }

    /// <summary>The number of rows that were held out.</summary>
    public required long HeldOutRows { get; init; }

    /// <summary>How well the model describes rows that it was trained on, 10,000 of them at most.</summary>
    public required Evaluation Training { get; init; }

    /// <summary>How well it describes the rows that were held out. They chose the epoch, so new rows may score a little lower.</summary>
    public required Evaluation HeldOut { get; init; }

    /// <summary>
    /// The mean of log p(x) of the held-out rows in nats by a normal density with the mean and
    /// covariance of the training rows, which a flow should beat; NaN for a conditional model.
    /// </summary>
    public required double GaussianHeldOut { get; init; }

    /// <summary>The epochs of the training, and why it ended.</summary>
    public required TrainingResult Result { get; init; }

    /// <summary>The time that it took.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>What you should know, one sentence each; empty if there is nothing.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>What was done and what came of it, in words.</summary>
    public override string ToString() => string.Join('\n', [$"{Model}.", $"{Scores} Nats a row.", $"{Done} {Seconds}.", .. Warnings]);

    /// <summary>The report as HTML: a fragment without scripts, whose text is escaped. Notebooks show it by themselves.</summary>
    public string ToHtml()
    {
        List<(string Name, long Rows, string Mean)> rows = [("training", TrainingRows, Mean(Training)),
            ("held out", HeldOutRows, Mean(HeldOut))];
        if (!double.IsNaN(GaussianHeldOut)) rows.Add(("held out, a Gaussian", HeldOutRows, Gaussian));
        return HtmlTable.Columns(Model, ["", "rows", "mean log p(x), nats"],
            rows.Select(r => ((IReadOnlyList<string>)[r.Name, r.Rows.ToString("N0", CultureInfo.InvariantCulture), r.Mean], false)),
            [$"{Done} {Seconds}.", .. Warnings]);
    }

    // these were held out by Fit
    private string Done => (Result with { Warnings = [], Validation = ValidationSource.HeldOut, HeldOut = HeldOutRows }).ToString();

    private string Seconds => string.Create(CultureInfo.InvariantCulture, $"It took {Duration.TotalSeconds:0.0} s");

    private string Scores => string.Create(CultureInfo.InvariantCulture,
        $"Mean log p(x) of {HeldOutRows:N0} held-out rows: {Mean(HeldOut)}; of {TrainingRows:N0} training rows: " +
            $"{Mean(Training)}{(double.IsNaN(GaussianHeldOut) ? "" : $"; a Gaussian gives the held-out rows {Gaussian}")}.");

    private static string Mean(Evaluation e) => Measured.With(e.MeanLogProb, e.StandardError);

    // of the same rows, so as many digits
    private string Gaussian => Measured.As(GaussianHeldOut, HeldOut.StandardError);
}
