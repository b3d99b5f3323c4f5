using System.Globalization;
using RealNvp.Describing;

namespace RealNvp;

/// <summary>What a solve took.</summary>
[TypeFormatterSource(typeof(HtmlFormatterSource))]
public sealed class OdeStatistics
{
    internal OdeStatistics(long evaluations, long[] accepted, long[] rejected) =>
        (Evaluations, Accepted, Rejected) = (evaluations, accepted, rejected);

    /// <summary>How often f was called, each time for all examples that were not done yet. Those of gradients are not counted.</summary>
    public long Evaluations { get; }

    /// <summary>The accepted steps of each example.</summary>
    public IReadOnlyList<long> Accepted { get; }

    /// <summary>The steps of each example that were tried and found too large.</summary>
    public IReadOnlyList<long> Rejected { get; }

    /// <summary>The numbers in one line.</summary>
    public override string ToString() => Accepted.Count == 0
        ? "no examples"
        : string.Create(CultureInfo.InvariantCulture, 
            $"{Evaluations} evaluations; an example: {Accepted.Min()} to {Accepted.Max()} steps, {Rejected.Min()} to {Rejected.Max()} " +
            $"rejected");
}
