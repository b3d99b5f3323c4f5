namespace RealNvp.Tables;

/// <summary>Tells how many rows of a table are done, and ends the call between two groups of them if that is asked for.</summary>
internal sealed class Pace
{
    private readonly IProgress<long>? progress;
    private readonly CancellationToken cancellationToken;
    private long rows;

    public Pace(IProgress<long>? progress, CancellationToken cancellationToken)
    {
        (this.progress, this.cancellationToken) = (progress, cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
    }

    /// <summary>So many rows more.</summary>
    public void Done(int more)
    {
        progress?.Report(rows += more);
        cancellationToken.ThrowIfCancellationRequested();
    }
}
