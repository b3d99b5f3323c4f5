using System.Collections.Concurrent;
using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>What a solve of dynamics is given, and where its results go: one row of each for an example.</summary>
/// <param name="call">The velocity.</param>
/// <param name="scheme">The method.</param>
/// <param name="control">What chooses the steps.</param>
internal sealed unsafe class DynamicsJob<T>(DynamicsCall<T> call, OdeScheme scheme, OdeControl control)
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private long recorded;

    public DynamicsCall<T> Call => call;

    public OdeScheme Scheme => scheme;

    public OdeControl Control => control;

    /// <summary>The size of the first step that is tried; null is Hairer's rule.</summary>
    public double? FirstStep { get; init; }

    /// <summary>N.</summary>
    public int Rows { get; init; }

    /// <summary>Gets the accepted steps, a record for each part of the rows; null if nobody asks.</summary>
    public ConcurrentBag<DynamicsRecord<T>>? Records { get; init; }

    /// <summary>The most bytes of states that records may hold, all together; beyond, the solve ends where it is.</summary>
    public long Budget { get; init; } = long.MaxValue;

    /// <summary>The bytes of states that were written down.</summary>
    public long Recorded => Volatile.Read(ref recorded);

    /// <summary>Whether these are more than allowed: then no result is one.</summary>
    public bool IsOver => Recorded > Budget;

    /// <summary>Counts states that were written down.</summary>
    public void Count(long bytes) => Interlocked.Add(ref recorded, bytes);

    /// <summary>y at the start (N, M), which becomes y at the end.</summary>
    public T* State;

    /// <summary>f at the start (N, M), for the solve alone.</summary>
    public T* Slope;

    /// <summary>When the solve of an example ended (N), and the step that it tried last.</summary>
    public double* Time, Step;

    /// <summary>Accepted steps, rejected steps, status and worst component, (N, 4).</summary>
    public long* Counts;

    /// <summary>Solves for all rows, or until <see cref="IsOver"/>.</summary>
    public void Run()
    {
        var packed = call.PanelSize(transposed: false);
        call.Pack((T*)KernelScratch.Shared(packed * (sizeof(T) / sizeof(float))), transposed: false);
        // some 14 evaluations at least
        KernelThreads.For(Rows, 14 * call.Work * Rows, DenseCall.Grain, (first, end) =>
            LaneWidth.Run<DynamicsPart<T>, T>(new(this, (int)first, (int)end)));
    }
}

/// <summary>Some rows of a solve.</summary>
internal readonly unsafe struct DynamicsPart<T>(DynamicsJob<T> job, int first, int end) : ILaneCode<T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, T>
    {
        // beside tangents rows are one column; alone they are two, where there are as many
        var vectors = job.Call.Tangents > 0 || end - first <= TLanes.Count ? 1 : 2;
        var memory = (T*)KernelScratch.Own(DynamicsSolve<TLanes, T>.Size(job, vectors) * (sizeof(T) / sizeof(float)));
        new DynamicsSolve<TLanes, T>(job, vectors, memory).Run(first, end);
    }
}
