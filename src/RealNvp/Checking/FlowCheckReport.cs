using System.Globalization;
using System.Text;
using RealNvp.Describing;

namespace RealNvp.Checking;

/// <summary>What <see cref="FlowCheck"/> found.</summary>
[TypeFormatterSource(typeof(HtmlFormatterSource))]
public sealed class FlowCheckReport : IHtml
{
    private const int ShownFailures = 3;

    internal FlowCheckReport(string subject, IReadOnlyList<FlowCheckResult> results, TimeSpan elapsed) =>
        (Subject, Results, Elapsed) = (subject, results, elapsed);

    /// <summary>The name of the bijection and the shape of an example.</summary>
    public string Subject { get; }

    /// <summary>Every check that was made, in the order of the laws.</summary>
    public IReadOnlyList<FlowCheckResult> Results { get; }

    /// <summary>The checks that failed.</summary>
    public IEnumerable<FlowCheckResult> Failures => Results.Where(r => !r.Passed);

    /// <summary>True if no law is broken.</summary>
    public bool Passed => !Failures.Any();

    /// <summary>The time that it took.</summary>
    public TimeSpan Elapsed { get; }

    /// <summary>Does nothing if all laws hold.</summary>
    /// <returns>This report.</returns>
    /// <exception cref="FlowCheckException">A law is broken; the message is <see cref="ToString"/>.</exception>
    public FlowCheckReport ThrowIfFailed() => Passed ? this : throw new FlowCheckException(this);

    /// <summary>A line for each law with its closest case, and below each broken law its failures and what to look at.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        var failed = Failures.Count();
        text.Append(CultureInfo.InvariantCulture,
            $"{Subject}: {(failed == 0 ? "all laws hold" : $"{failed} checks failed")} ({Results.Count} checks, " +
            $"{Elapsed.TotalSeconds:F1} s)\n");
        foreach (var law in Results.GroupBy(r => r.Law).OrderBy(g => g.Key))
        {
            var closest = law.MaxBy(Closeness)!;
            var open = law.Count(r => r.Outcome == FlowCheckOutcome.Inconclusive);
            var mark = law.All(r => r.Passed) ? "ok  " : "FAIL";
            text.Append(CultureInfo.InvariantCulture,
                $"  {mark} {law.Key,-22} {law.Count(),4} checks; closest: {closest.Error:0.0e+00} of {closest.Tolerance:0.0e+00} in " +
                $"{FlowCheckResult.Name(closest.Dtype)} at {closest.Input}");
            text.Append(open == 0 ? "\n" : $"; {open} inconclusive\n");
            AppendFailures(text, [.. law.Where(r => !r.Passed)]);
        }
        return text.ToString();
    }

    /// <summary>The same as HTML: a fragment without scripts, whose text is escaped. Notebooks show it by themselves.</summary>
    /// <remarks>It has a line for each law, with the case that came closest to its tolerance.</remarks>
    public string ToHtml()
    {
        var failed = Failures.Count();
        return HtmlTable.Columns(
            string.Create(CultureInfo.InvariantCulture,
                $"{Subject}: {(failed == 0 ? "all laws hold" : $"{failed} checks failed")} ({Results.Count} checks, " +
                    $"{Elapsed.TotalSeconds:F1} s)"),
            ["law", "", "closest case", "error", "tolerance", "checks"],
            Results.GroupBy(r => r.Law).OrderBy(g => g.Key).Select(Row),
            Failures.GroupBy(r => r.Law).OrderBy(g => g.Key).SelectMany(g => (string[])[g.First().ToString(), Advice.For(g.Key)]),
                texts: 3);

        static (IReadOnlyList<string>, bool) Row(IGrouping<FlowLaw, FlowCheckResult> law)
        {
            var (closest, broken) = (law.MaxBy(Closeness)!, law.Any(r => !r.Passed));
            return ([law.Key.ToString(), broken ? "BROKEN" : "holds", $"{FlowCheckResult.Name(closest.Dtype)}, {closest.Input}",
                closest.Error.ToString("0.0e+00", CultureInfo.InvariantCulture),
                    closest.Tolerance.ToString("0.0e+00", CultureInfo.InvariantCulture),
                law.Count().ToString(CultureInfo.InvariantCulture)], broken);
        }
    }

    private static void AppendFailures(StringBuilder text, FlowCheckResult[] failures)
    {
        if (failures.Length == 0) return;
        foreach (var failure in failures.Take(ShownFailures)) text.Append("         ").Append(failure).Append('\n');
        if (failures.Length > ShownFailures)
            text.Append(CultureInfo.InvariantCulture, $"         and {failures.Length - ShownFailures} more\n");
        text.Append("         ").Append(Advice.For(failures[0].Law)).Append('\n');
    }

    // how much of its tolerance a check used; failures first, and a call that threw before them all
    private static double Closeness(FlowCheckResult result) => result.Outcome switch
    {
        FlowCheckOutcome.Inconclusive => -1,
        FlowCheckOutcome.Failed when double.IsNaN(result.Error) => double.PositiveInfinity,
        _ => result.Error / Math.Max(result.Tolerance, double.Epsilon),
    };
}
