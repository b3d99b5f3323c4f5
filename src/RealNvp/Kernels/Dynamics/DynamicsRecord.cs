using System.Buffers;

namespace RealNvp.Kernels;

/// <summary>The accepted steps of some rows, in the order in which they were taken.</summary>
/// <param name="width">M, the numbers of a row.</param>
internal sealed class DynamicsRecord<T>(int width) : IDisposable where T : unmanaged
{
    private (int Row, double Time, double Step)[] steps = ArrayPool<(int, double, double)>.Shared.Rent(256);
    private T[] states = ArrayPool<T>.Shared.Rent(256 * width);

    public int Count { get; private set; }

    public ReadOnlySpan<(int Row, double Time, double Step)> Steps => steps.AsSpan(0, Count);

    /// <summary>The states before the steps (steps, M).</summary>
    public ReadOnlySpan<T> States => states.AsSpan(0, Count * width);

    /// <summary>Writes a step down.</summary>
    public void Add(int row, double time, double step, ReadOnlySpan<T> state)
    {
        if (Count == steps.Length) steps = Grown(steps, Count);
        if ((Count + 1) * width > states.Length) states = Grown(states, Count * width);
        steps[Count] = (row, time, step);
        state.CopyTo(states.AsSpan(Count++ * width));
    }

    public void Dispose()
    {
        ArrayPool<(int, double, double)>.Shared.Return(steps);
        ArrayPool<T>.Shared.Return(states);
        (steps, states, Count) = ([], [], 0);
    }

    private static TItem[] Grown<TItem>(TItem[] from, int count)
    {
        var to = ArrayPool<TItem>.Shared.Rent(2 * from.Length);
        from.AsSpan(0, count).CopyTo(to);
        ArrayPool<TItem>.Shared.Return(from);
        return to;
    }
}
