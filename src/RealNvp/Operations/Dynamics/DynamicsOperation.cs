using System.Collections.Concurrent;
using System.Numerics;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>A whole solve of a velocity that is a network of linear layers, in one pass: each block of examples takes
/// all of its steps while its numbers are in the cache.</summary>
/// <remarks>Its reference is the same solve step by step with the network as a module; <see cref="DynamicsReference"/> takes the steps
/// of a solve once more, for gradients of gradients.</remarks>
internal static unsafe class DynamicsOperation
{
    // beyond this a column of lanes no longer fits a cache, and large products are faster
    private const int Widest = 1024;

    // what a layer may keep of the stages of a step for its gradients
    private const long MostTape = 1 << 21;

    /// <summary>The tensors of a layer among those of a solve, and those among them that differ from row to row.</summary>
    public const int OfLayer = 7, OfRowsFrom = 5;

    /// <summary>Whether the kernel takes a solve.</summary>
    public static bool CanRun(DynamicsNetwork network, Tensor start, Tensor? context) => KernelSwitches.Dynamics
        && start.device_type == DeviceType.CPU && start.dtype is ScalarType.Float32 or ScalarType.Float64
        && start.size(0) is > 0 and < 1 << 24 && network.Program.Widest <= Widest && network.Takes(start, context);

    /// <summary>Whether it takes one with gradients: by D directions, if
    /// plain operations do not have the divergence for much less.</summary>
    public static bool CanDifferentiate(DynamicsNetwork network, Tensor start, OdeScheme scheme)
    {
        var (program, wantsDivergence) = (network.Program, start.size(1) > network.Program.Features);
        var columns = wantsDivergence ? 1L + program.Features : 1;
        return scheme.Count * columns * program.Widest * (long)LaneWidth.Floats * sizeof(float) <= MostTape
            && !(wantsDivergence && program.CanJoin && program.Features > 8);
    }

    /// <summary>Solves; without a graph, but what a context adds has one if gradients are on. In the caller's scope.</summary>
    /// <param name="network">The velocity.</param>
    /// <param name="start">x (N, D), and the log-determinant behind it if the divergence is wanted.</param>
    /// <param name="context">(N, C), or null.</param>
    /// <param name="scheme">The method.</param>
    /// <param name="control">What chooses the steps.</param>
    /// <param name="firstStep">The first step that is tried, or null.</param>
    /// <param name="records">Whether the steps are written down, for gradients.</param>
    /// <param name="budget">The most bytes of states that are written down; beyond, the solve ends.</param>
    public static DynamicsRun Solve(DynamicsNetwork network, Tensor start, Tensor? context, OdeScheme scheme, OdeControl control,
        double? firstStep, bool records = false, long budget = long.MaxValue)
    {
        var wantsDivergence = start.size(1) > network.Program.Features;
        var divergence = !wantsDivergence ? DynamicsDivergence.None
            : network.Program.CanJoin && network.Program.Features > 1 && !records ? DynamicsDivergence.Joined : DynamicsDivergence.Tangents;
        List<Tensor?> tensors = [];
        for (var i = 0; i < network.Layers.Count; i++)
        {
            var layer = network.Layers[i];
            var (gate, shift) = network.Offsets(i, context);
            tensors.AddRange([layer.Weight, layer.Bias, layer.Gate, layer.GateBias, layer.Shift, gate, shift]);
        }
        using var mode = no_grad();
        var shape = new DynamicsShape(network.Program, divergence, scheme, network.WithSlope);
        var joined = divergence == DynamicsDivergence.Joined ? network.Joined() : null;
        return start.dtype == ScalarType.Float32
            ? Run(Call<float>(shape, tensors, joined), shape, tensors, start, control, firstStep, records, budget)
            : Run(Call<double>(shape, tensors, joined), shape, tensors, start, control, firstStep, records, budget);
    }

    /// <summary>The gradients of the state at the start, and of the tensors that ask for them.</summary>
    /// <param name="shape">The solve.</param>
    /// <param name="tensors">Its tensors.</param>
    /// <param name="taken">Its steps.</param>
    /// <param name="gradient">That of the state at the end, contiguous.</param>
    public static (Tensor Start, Tensor?[] Tensors) Back(DynamicsShape shape, Tensor?[] tensors, DynamicsSteps taken, Tensor gradient)
    {
        var start = empty_like(gradient);
        Tensor?[] found = [.. tensors.Select(t => t is { requires_grad: true } ? empty_like(t, requires_grad: false) : null)];
        if (gradient.dtype == ScalarType.Float32) Back<float>(shape, tensors, taken, gradient, start, found);
        else Back<double>(shape, tensors, taken, gradient, start, found);
        return (start, found);
    }

    private static void Back<T>(DynamicsShape shape, Tensor?[] tensors, DynamicsSteps taken, Tensor gradient, Tensor start, Tensor?[] found)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var walk = new DynamicsWalk<T>(Call<T>(shape, tensors, null), shape.Scheme)
        {
            Rows = (int)gradient.size(0),
            First = KernelMemory.Pointer<long>(taken.First),
            Steps = KernelMemory.Pointer<double>(taken.Steps),
            States = KernelMemory.Pointer<T>(taken.States),
            Gradient = KernelMemory.Pointer<T>(gradient),
            StartGradient = KernelMemory.Pointer<T>(start),
        };
        for (var i = 0; i < walk.Slopes.Length; i++)
            walk.Slopes[i] = new()
            {
                Weight = Memory<T>(found[OfLayer * i]),
                Bias = Memory<T>(found[(OfLayer * i) + 1]),
                Gate = Memory<T>(found[(OfLayer * i) + 2]),
                GateBias = Memory<T>(found[(OfLayer * i) + 3]),
                Shift = Memory<T>(found[(OfLayer * i) + 4]),
                GateOffset = Memory<T>(found[(OfLayer * i) + 5]),
                ShiftOffset = Memory<T>(found[(OfLayer * i) + 6]),
            };
        walk.Run();
        GC.KeepAlive(tensors);
        GC.KeepAlive(taken);
    }

    private static T* Memory<T>(Tensor? tensor) where T : unmanaged => tensor is null ? null : KernelMemory.Pointer<T>(tensor);

    // the velocity with the memory of its tensors
    private static DynamicsCall<T> Call<T>(DynamicsShape shape, IReadOnlyList<Tensor?> tensors, Tensor? joined) where T : unmanaged
    {
        var call = new DynamicsCall<T>(shape.Program, shape.Divergence) { Joined = Memory<T>(joined) };
        for (var i = 0; i < shape.Program.Layers.Length; i++)
            call.Layers[i] = new()
            {
                Weight = Memory<T>(tensors[OfLayer * i]),
                Bias = Memory<T>(tensors[(OfLayer * i) + 1]),
                Gate = Memory<T>(tensors[(OfLayer * i) + 2]),
                GateBias = Memory<T>(tensors[(OfLayer * i) + 3]),
                Shift = Memory<T>(tensors[(OfLayer * i) + 4]),
                GateOffset = Memory<T>(tensors[(OfLayer * i) + 5]),
                ShiftOffset = Memory<T>(tensors[(OfLayer * i) + 6]),
            };
        return call;
    }

    private static DynamicsRun Run<T>(DynamicsCall<T> call, DynamicsShape shape, IReadOnlyList<Tensor?> tensors, Tensor start,
        OdeControl control, double? firstStep, bool records, long budget)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var value = start.detach().clone().contiguous();
        var n = (int)value.size(0);
        var eights = (double*)KernelScratch.Held((12L * n) + (value.numel() * (sizeof(T) / sizeof(float))));
        var counts = (long*)(eights + (2 * n));
        var job = new DynamicsJob<T>(call, shape.Scheme, control)
        {
            FirstStep = firstStep,
            Rows = n,
            Records = records ? [] : null,
            Budget = budget,
            State = KernelMemory.Pointer<T>(value),
            Time = eights,
            Step = eights + n,
            Counts = counts,
            Slope = (T*)(eights + (6 * n)),
        };
        job.Run();
        GC.KeepAlive(tensors);
        var (accepted, rejected) = (new long[n], new long[n]);
        var (most, first) = (0L, -1);
        for (var row = 0; row < n; row++)
        {
            (accepted[row], rejected[row]) = (counts[4 * row], counts[(4 * row) + 1]);
            most = Math.Max(most, accepted[row] + rejected[row]);
            if (counts[(4 * row) + 2] == OdeControl.Done || job.IsOver) continue;
            // all step together, so the one that failed first did so after the fewest steps
            if (first < 0 || accepted[row] + rejected[row] < accepted[first] + rejected[first]) first = row;
        }
        return new(shape, tensors, value)
        {
            Accepted = accepted,
            Rejected = rejected,
            Evaluations = control.IsAdaptive ? 1 + (firstStep is null ? 1 : 0) + ((shape.Scheme.Count - 1) * most)
                : shape.Scheme.Count * most,
            Failed = first < 0 ? null
                : new DynamicsFailure(counts[(4 * first) + 2], first, eights[first], eights[n + first], counts[(4 * first) + 3]),
            Recorded = job.Recorded,
            IsOverBudget = job.IsOver,
            Taken = Steps(job.Records, accepted, value, failed: first >= 0 || job.IsOver),
        };
    }

    // the steps of the parts, example by example
    private static DynamicsSteps? Steps<T>(ConcurrentBag<DynamicsRecord<T>>? records, long[] accepted, Tensor like, bool failed)
        where T : unmanaged
    {
        if (records is null) return null;
        try
        {
            if (failed) return null;
            var width = (int)like.size(1);
            var first = empty(accepted.Length + 1, dtype: ScalarType.Int64, device: CPU);
            var place = KernelMemory.Pointer<long>(first);
            place[0] = 0;
            for (var row = 0; row < accepted.Length; row++) place[row + 1] = place[row] + accepted[row];
            var count = place[accepted.Length];
            var steps = empty([count, 2], dtype: ScalarType.Float64, device: CPU);
            var states = empty([count, width], dtype: like.dtype, device: CPU);
            var (times, numbers) = ((nint)KernelMemory.Pointer<double>(steps), (nint)KernelMemory.Pointer<T>(states));
            var done = new int[accepted.Length];
            foreach (var record in records)
                for (var i = 0; i < record.Count; i++)
                {
                    var (row, time, step) = record.Steps[i];
                    var at = (nint)(place[row] + done[row]++);
                    ((double*)times)[2 * at] = time;
                    ((double*)times)[(2 * at) + 1] = step;
                    record.States.Slice(i * width, width).CopyTo(new Span<T>((T*)numbers + (at * width), width));
                }
            return new(first, steps, states);
        }
        finally
        {
            foreach (var record in records) record.Dispose();
        }
    }
}
