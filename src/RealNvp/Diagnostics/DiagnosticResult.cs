using RealNvp.Describing;

namespace RealNvp;

/// <summary>What a diagnostic found: a p-value, what it means, and the numbers of its picture.</summary>
/// <remarks>Results are values, hold no tensor, and print themselves in the invariant culture; notebooks show them as HTML.</remarks>
[TypeFormatterSource(typeof(HtmlFormatterSource))]
public abstract record DiagnosticResult : IHtml
{
    private protected DiagnosticResult() { }

    /// <summary>
    /// The probability of a result that is as far off, or farther, if the density is right: in 0 ... 1. Small values speak against the
    /// density; a large one says that this diagnostic, with so many rows, found nothing.
    /// </summary>
    public required double PValue { get; init; }

    /// <summary>The probability with which the verdict rejects a density that is right, as it was asked for.</summary>
    public required double Level { get; init; }

    /// <summary>The verdict: whether the p-value is at or below the level.</summary>
    public bool IsRejected => PValue <= Level;

    /// <summary>What it means, in a sentence or two.</summary>
    public abstract string Words { get; }

    /// <summary>The sentences of <see cref="Words"/>.</summary>
    public sealed override string ToString() => Words;

    /// <summary>Words and numbers as HTML: a fragment without scripts, whose text is escaped. Notebooks show it by themselves.</summary>
    public abstract string ToHtml();

    private protected string Odds => DiagnosticText.Odds(PValue);
}
