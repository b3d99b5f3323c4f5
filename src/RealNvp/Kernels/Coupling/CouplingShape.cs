namespace RealNvp.Kernels;

/// <summary>A coupling of vectors, or an autoregressive layer forward, in numbers:
/// which features a network reads, and which ones a map changes.</summary>
/// <remarks>In a coupling no feature is both; in an autoregressive layer each feature is.</remarks>
internal sealed class CouplingShape
{
    /// <param name="readAt">The features that the network reads, in its order.</param>
    /// <param name="changedAt">The features that the map changes, in its order. Each feature is here or there.</param>
    /// <param name="program">The network.</param>
    /// <param name="limit">The limit of what the network sees; 0 for none.</param>
    /// <param name="map">The map.</param>
    public CouplingShape(int[] readAt, int[] changedAt, DenseProgram program, double limit, ElementwiseCode map)
    {
        Features = Math.Max(readAt.Max(), changedAt.Max()) + 1;
        (ReadAt, ChangedAt, Program, Limit, Map) = (readAt, changedAt, program, limit, map);
        var first = readAt[0];
        ReadRun = readAt.Select((at, i) => at - i).All(start => start == first) ? first : -1;
    }

    public int Features { get; }

    public int[] ReadAt { get; }

    public int[] ChangedAt { get; }

    /// <summary>Where the features that the network reads begin, if they lie together; else −1.</summary>
    public int ReadRun { get; }

    public DenseProgram Program { get; }

    /// <summary>The limit of what the network sees; 0 for none.</summary>
    public double Limit { get; }

    public ElementwiseCode Map { get; }

    /// <summary>How many features change.</summary>
    public int Columns => ChangedAt.Length;

    /// <summary>Copies some columns of rows of a matrix side by side.</summary>
    public static unsafe void Gather(float* from, nint fromStride, int[] at, float* to, nint toStride, int rows)
    {
        for (var row = 0; row < rows; row++, from += fromStride, to += toStride)
            for (var i = 0; i < at.Length; i++) to[i] = from[at[i]];
    }
}
