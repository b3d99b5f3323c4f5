using System.Collections.Concurrent;
using System.Numerics;
using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>A whole solve of a velocity that is a network of linear layers, in one pass: each block of examples takes
/// all of its steps while its numbers are in the cache.</summary>
/// <remarks>Its reference is the same solve step by step with the network as a module.</remarks>
internal static unsafe class DynamicsOperation
{
    // beyond this a column of lanes no longer fits a cache, and large products are faster
    private const int Widest = 1024;

    /// <summary>Whether the kernel takes a solve.</summary>
    public static bool CanRun(DynamicsNetwork network, Tensor start, Tensor? context) => KernelSwitches.Dynamics
        && start.device_type == DeviceType.CPU && start.dtype is ScalarType.Float32 or ScalarType.Float64
            && start.shape[0] is > 0 and < 1 << 24
        && network.Program.Widest <= Widest && network.Takes(start, context);

    /// <summary>Solves without a graph. In the caller's scope.</summary>
    /// <param name="network">The velocity.</param>
    /// <param name="start">x (N, D), and the log-determinant behind it if the divergence is wanted.</param>
    /// <param name="context">(N, C), or null.</param>
    /// <param name="scheme">The method.</param>
    /// <param name="control">What chooses the steps.</param>
    /// <param name="firstStep">The first step that is tried, or null.</param>
    public static DynamicsSolution Solve(DynamicsNetwork network, Tensor start, Tensor? context, OdeScheme scheme, OdeControl control,
        double? firstStep)
    {
        var divergence = network.Divergence(start.shape[1] > network.Program.Features);
        List<Tensor?> tensors = [];
        for (var i = 0; i < network.Layers.Count; i++)
        {
            var layer = network.Layers[i];
            var (gate, shift) = network.Offsets(i, context);
            tensors.AddRange([layer.Weight, layer.Bias, layer.Gate, layer.GateBias, layer.Shift, gate, shift]);
        }
        var joined = divergence == DynamicsDivergence.Joined ? network.Joined() : null;
        var value = start.detach().clone().contiguous();
        return start.dtype == ScalarType.Float32
            ? Run<float>(Call<float>(network.Program, divergence, tensors, joined), value, scheme, control, firstStep, null)
            : Run<double>(Call<double>(network.Program, divergence, tensors, joined), value, scheme, control, firstStep, null);
    }

    /// <summary>The velocity with the memory of its tensors, 7 of each layer.</summary>
    private static DynamicsCall<T> Call<T>(DynamicsProgram program, DynamicsDivergence divergence, List<Tensor?> tensors, Tensor? joined)
        where T : unmanaged
    {
        static T* Memory(Tensor? tensor) => tensor is null ? null : KernelMemory.Pointer<T>(tensor);
        var call = new DynamicsCall<T>(program, divergence) { Joined = Memory(joined) };
        for (var i = 0; i < program.Layers.Length; i++)
            call.Layers[i] = new()
            {
                Weight = Memory(tensors[7 * i]),
                Bias = Memory(tensors[(7 * i) + 1]),
                Gate = Memory(tensors[(7 * i) + 2]),
                GateBias = Memory(tensors[(7 * i) + 3]),
                Shift = Memory(tensors[(7 * i) + 4]),
                GateOffset = Memory(tensors[(7 * i) + 5]),
                ShiftOffset = Memory(tensors[(7 * i) + 6]),
            };
        return call;
    }

    private static DynamicsSolution Run<T>(DynamicsCall<T> call, Tensor value, OdeScheme scheme, OdeControl control, double? firstStep,
        ConcurrentBag<DynamicsRecord<T>>? records)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var n = (int)value.shape[0];
        var eights = (double*)KernelScratch.Held((12L * n) + (value.numel() * (sizeof(T) / sizeof(float))));
        var counts = (long*)(eights + (2 * n));
        var job = new DynamicsJob<T>(call, scheme, control)
        {
            FirstStep = firstStep,
            Rows = n,
            Records = records,
            State = KernelMemory.Pointer<T>(value),
            Time = eights,
            Step = eights + n,
            Counts = counts,
            Slope = (T*)(eights + (6 * n)),
        };
        job.Run();
        var (accepted, rejected) = (new long[n], new long[n]);
        var (most, first) = (0L, -1);
        for (var row = 0; row < n; row++)
        {
            (accepted[row], rejected[row]) = (counts[4 * row], counts[(4 * row) + 1]);
            most = Math.Max(most, accepted[row] + rejected[row]);
            if (counts[(4 * row) + 2] == OdeControl.Done) continue;
            // all step together, so the one that failed first did so after the fewest steps
            if (first < 0 || accepted[row] + rejected[row] < accepted[first] + rejected[first]) first = row;
        }
        var evaluations = control.IsAdaptive ? 1 + (firstStep is null ? 1 : 0) + ((scheme.Count - 1) * most) : scheme.Count * most;
        var failure = first < 0 ? null
            : new DynamicsFailure(counts[(4 * first) + 2], first, eights[first], eights[n + first], counts[(4 * first) + 3]);
        return new(value, accepted, rejected, evaluations, failure);
    }
}
