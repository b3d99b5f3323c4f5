using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>The point of a stage, y + h Σ aⱼ kⱼ and t + c h, for rows with a time and a step of their own, in one pass.</summary>
/// <param name="state">y (rows, width).</param>
/// <param name="slopes">The k that have a weight.</param>
/// <param name="weights">Their weights.</param>
/// <param name="count">The number of them.</param>
/// <param name="time">t (rows).</param>
/// <param name="step">h (rows).</param>
/// <param name="node">c.</param>
/// <param name="into">Gets the point (rows, width).</param>
/// <param name="times">Gets its time (rows).</param>
/// <param name="width">The numbers of a row.</param>
/// <param name="first">The first row.</param>
/// <param name="end">The row behind the last one.</param>
internal readonly unsafe struct OdeStageKernel<T>(T* state, T** slopes, double* weights, int count, double* time, double* step, double node,
    T* into, T* times, long width,
    long first, long end) : ILaneCode<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>The most slopes of a stage.</summary>
    public const int Most = 8;

    public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, T>
    {
        for (var row = first; row < end; row++)
        {
            var (h, at) = (step[row], row * width);
            times[row] = T.CreateTruncating(time[row] + (node * h));
            var i = 0L;
            for (; i <= width - TLanes.Count; i += TLanes.Count) Point<TLanes>(at + i, h);
            for (; i < width; i++) Point<Lanes1<T>>(at + i, h);
        }
    }

    private void Point<TLanes>(long at, double h) where TLanes : struct, ILanes<TLanes, T>
    {
        var sum = TLanes.Zero;
        for (var j = 0; j < count; j++) TLanes.Accumulate(ref sum, TLanes.Number(weights[j]), TLanes.Load(slopes[j] + at));
        TLanes.Store(TLanes.MultiplyAdd(TLanes.Number(h), sum, TLanes.Load(state + at)), into + at);
    }
}
