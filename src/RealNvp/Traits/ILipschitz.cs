namespace RealNvp;

/// <summary>A network, or a part of one, with a known bound c of how far it
/// takes two inputs apart: |g(x) − g(y)| ≤ c·|x − y| for all x and y.</summary>
/// <remarks>A <see cref="ResidualLayer"/> takes any network whose bound is
/// below 1; one that does not say it is told by the caller.</remarks>
public interface ILipschitz
{
    /// <summary>The bound c, for one context at a time.</summary>
    double LipschitzBound { get; }
}
