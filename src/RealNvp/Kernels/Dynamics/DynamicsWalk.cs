using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>Where the gradients of the weights of a layer of dynamics lie;
/// null if the layer has no such weight, or nobody wants it.</summary>
internal unsafe struct DynamicsSlopes<T> where T : unmanaged
{
    public T* Weight, Bias, Gate, GateBias, Shift;

    /// <summary>The gradients of what the context of each row adds to gate and shift, (N, O).</summary>
    public T* GateOffset, ShiftOffset;
}

/// <summary>The way back through the steps that the rows of a batch have
/// taken, each row through its own; all gradients of a solve.</summary>
/// <remarks>The gradients of weights are sums over rows: rows are parted in shares by their number alone, each share is
/// summed by one thread, and the shares are added in their order.</remarks>
/// <param name="call">The velocity.</param>
/// <param name="scheme">The method.</param>
internal sealed unsafe class DynamicsWalk<T>(DynamicsCall<T> call, OdeScheme scheme) where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const int MostShares = 16;
    private const long MostSums = 1 << 22;

    public DynamicsCall<T> Call => call;

    public OdeScheme Scheme => scheme;

    /// <summary>The stages that the state after a step depends on: not the slope at its end.</summary>
    public int Stages => scheme.Error is null ? scheme.Count : scheme.Count - 1;

    /// <summary>N.</summary>
    public int Rows { get; init; }

    public DynamicsSlopes<T>[] Slopes { get; } = new DynamicsSlopes<T>[call.Layers.Length];

    /// <summary>The first step of each row, and behind the last row the number of all (N + 1).</summary>
    public long* First;

    /// <summary>The time and the size of each step, (steps, 2).</summary>
    public double* Steps;

    /// <summary>The state before each step, (steps, M).</summary>
    public T* States;

    /// <summary>The gradient of the states at the end (N, M), and where that of the states at the start goes.</summary>
    public T* Gradient, StartGradient;

    /// <summary>The elements of the sums of all weights.</summary>
    public static long SumsOf(DynamicsProgram program)
    {
        var size = 0L;
        foreach (var layer in program.Layers) size += layer.Weights + ((3L + layer.Times) * layer.Outputs);
        return size;
    }

    /// <summary>Computes all gradients.</summary>
    public void Run() => LaneWidth.Run<DynamicsWalkCode<T>, T>(new(this));

    public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, T>
    {
        var unit = TLanes.Count;
        var units = (Rows + unit - 1) / unit;
        var size = SumsOf(call.Program);
        var shares = (int)Math.Clamp(Math.Min(units, MostSums / size), 1, MostShares);
        var scale = sizeof(T) / sizeof(float);
        var packed = (call.PanelSize(transposed: true) + 15) / 16 * 16;
        var memory = (T*)KernelScratch.Shared((packed + (shares * size)) * scale);
        call.Pack(memory, transposed: true);
        var sums = (nint)(memory + packed);
        // forward and backward through all stages of a step or two
        KernelThreads.For(shares, 50 * call.Work * Rows, DenseCall.Grain, (start, end) =>
        {
            var own = (T*)KernelScratch.Own(DynamicsGradient<TLanes, T>.Size(this) * scale);
            for (var share = start; share < end; share++)
            {
                var to = (T*)sums + (share * size);
                new Span<T>(to, checked((int)size)).Clear();
                var gradient = new DynamicsGradient<TLanes, T>(this, own, to);
                for (var i = units * share / shares; i < units * (share + 1) / shares; i++)
                    gradient.Run((int)(i * unit), (int)Math.Min(unit, Rows - (i * unit)));
            }
        });
        Add((T*)sums, size, shares);
    }

    private void Add(T* sums, long size, int shares)
    {
        for (var i = 0; i < Slopes.Length; i++)
        {
            var layer = call.Program.Layers[i];
            ref var slopes = ref Slopes[i];
            sums = Add(sums, size, shares, layer.Weights, slopes.Weight);
            sums = Add(sums, size, shares, layer.Outputs, slopes.Bias);
            sums = Add(sums, size, shares, layer.Outputs, slopes.Gate);
            sums = Add(sums, size, shares, layer.Outputs, slopes.GateBias);
            sums = Add(sums, size, shares, (long)layer.Outputs * layer.Times, slopes.Shift);
        }
    }

    private static T* Add(T* sums, long size, int shares, long count, T* to)
    {
        if (to != null)
            for (var i = 0L; i < count; i++)
            {
                var sum = sums[i];
                for (var share = 1; share < shares; share++) sum += sums[(share * size) + i];
                to[i] = sum;
            }
        return sums + count;
    }
}

/// <summary>All of a walk back with lanes of one width.</summary>
internal readonly struct DynamicsWalkCode<T>(DynamicsWalk<T> walk) : ILaneCode<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, T> => walk.Run<TLanes>();
}
