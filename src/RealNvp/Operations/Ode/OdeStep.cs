using System.Numerics;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>The parts of a Runge–Kutta step of examples with a time and a step
/// of their own: a kernel on the CPU, plain operations elsewhere.</summary>
/// <remarks>It belongs to one solve, and to the dispose scope in which it was
/// made. Points and times are memory that the next step uses again.</remarks>
internal sealed unsafe class OdeStep
{
    // elements of a state that are worth a thread
    private const double Grain = 2e4;

    private readonly OdeControl control;
    private readonly DisposeScope home;
    private readonly Dictionary<int, (Tensor Point, Tensor Time)> memory = [];
    private readonly bool runsKernel;
    private readonly Device device;
    private OdeStepReference? reference;
    private long rowsOfMemory = -1;

    /// <param name="control">What chooses the steps.</param>
    /// <param name="like">The state at the start.</param>
    /// <param name="home">Where its memory lives.</param>
    public OdeStep(OdeControl control, Tensor like, DisposeScope home)
    {
        (this.control, this.home, device) = (control, home, like.device);
        runsKernel = CanRun(like);
    }

    /// <summary>The same in plain operations, made when it is first asked for.</summary>
    public OdeStepReference Reference
    {
        get
        {
            if (reference is not null) return reference;
            reference = new OdeStepReference(control, device);
            foreach (var constant in reference.Constants) home.Attach(constant);
            return reference;
        }
    }

    /// <summary>Whether the kernel takes a state.</summary>
    public static bool CanRun(Tensor state) => KernelSwitches.Ode && KernelMemory.IsContiguous(state)
        && state.dtype is ScalarType.Float32 or ScalarType.Float64;

    /// <summary>y + h Σ aⱼ kⱼ (n, M) and t + c h (n). They are valid until the next point of the same stage.</summary>
    public (Tensor Point, Tensor Time) Point(int stage, OdeRows rows, IReadOnlyList<Tensor> slopes, double[] weights, double node)
    {
        if (!runsKernel) return (OdeStepReference.Combine(rows.State, rows.Step, slopes, weights), OdeStepReference.At(rows, node));
        var (point, time) = Memory(stage, rows.State);
        if (rows.State.dtype == ScalarType.Float64) Point<double>(rows, slopes, weights, node, point, time);
        else Point<float>(rows, slopes, weights, node, point, time);
        return (point, time);
    }

    /// <summary>As <see cref="OdeStepReference.Trial"/>; valid until the first point of stage 1.</summary>
    public (Tensor Point, Tensor Time) Trial(OdeRows rows, Tensor slope)
    {
        if (!runsKernel || !KernelMemory.IsContiguous(slope)) return Reference.Trial(rows, slope);
        var (point, time) = Memory(1, rows.State);
        if (rows.State.dtype == ScalarType.Float64) First<double>(rows, slope, point, time, null);
        else First<float>(rows, slope, point, time, null);
        return (point, time);
    }

    /// <summary>As <see cref="OdeStepReference.FirstStep"/>.</summary>
    public void FirstStep(OdeRows rows, Tensor slope, Tensor trial, Tensor trialSlope)
    {
        if (!runsKernel || !KernelMemory.IsContiguous(slope) || !KernelMemory.IsContiguous(trialSlope))
            Reference.FirstStep(rows, slope, trialSlope);
        else if (rows.State.dtype == ScalarType.Float64) First<double>(rows, slope, trial, null, trialSlope);
        else First<float>(rows, slope, trial, null, trialSlope);
    }

    /// <summary>Ends a step: takes it or not, and chooses the next. Changes the rows in place.</summary>
    /// <param name="rows">The examples.</param>
    /// <param name="next">Their state after the step (n, M).</param>
    /// <param name="endSlope">f there; null if it is not known.</param>
    /// <param name="slopes">Those of the stages.</param>
    /// <param name="errorWeights">Their weights in the error; null for steps of one size.</param>
    /// <param name="wantsTaken">Whether somebody asks which examples took it.</param>
    /// <returns>Which examples took the step (n), Bool; null if nobody asks.</returns>
    public Tensor? Take(OdeRows rows, Tensor next, Tensor? endSlope, IReadOnlyList<Tensor> slopes, double[]? errorWeights, bool wantsTaken)
    {
        if (!runsKernel)
        {
            var (norm, worst) = errorWeights is null ? (null, null) : Reference.Error(rows, next, slopes, errorWeights);
            return Reference.Control(rows, next, endSlope, norm, worst);
        }
        var taken = wantsTaken ? empty(rows.Count, dtype: ScalarType.Bool, device: CPU) : null;
        if (rows.State.dtype == ScalarType.Float64) Take<double>(rows, next, endSlope, slopes, errorWeights, taken);
        else Take<float>(rows, next, endSlope, slopes, errorWeights, taken);
        return taken;
    }

    /// <summary>Whether all examples go on; null if that cannot be seen without waiting.</summary>
    public static bool? AllActive(OdeRows rows)
    {
        if (!KernelMemory.IsContiguous(rows.Counts)) return null;
        return new ReadOnlySpan<long>(KernelMemory.Pointer<long>(rows.Counts) + (2 * rows.Count), (int)rows.Count)
            .IndexOfAnyExcept(OdeControl.Active) < 0;
    }

    private (Tensor Point, Tensor Time) Memory(int stage, Tensor like)
    {
        if (like.size(0) != rowsOfMemory)
        {
            // examples have left
            foreach (var (point, time) in memory.Values)
            {
                point.Dispose();
                time.Dispose();
            }
            memory.Clear();
            rowsOfMemory = like.size(0);
        }
        if (memory.TryGetValue(stage, out var found)) return found;
        return memory[stage] = (Keep(empty_like(like, requires_grad: false)), Keep(empty(rowsOfMemory, dtype: like.dtype, device: CPU)));
    }

    private Tensor Keep(Tensor tensor)
    {
        home.Attach(tensor);
        return tensor;
    }

    private static void Point<T>(OdeRows rows, IReadOnlyList<Tensor> slopes, double[] weights, double node, Tensor into, Tensor times)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var pointers = stackalloc T*[OdeStageKernel<T>.Most];
        var factors = stackalloc double[OdeStageKernel<T>.Most];
        var count = Weighted(slopes, weights, pointers, factors);
        var (state, time, step) = ((nint)KernelMemory.Pointer<T>(rows.State), (nint)KernelMemory.Pointer<double>(rows.Time),
            (nint)KernelMemory.Pointer<double>(rows.Step));
        var (point, at, width) = ((nint)KernelMemory.Pointer<T>(into), (nint)KernelMemory.Pointer<T>(times),
            rows.State.numel() / Math.Max(1, rows.Count));
        nint k = (nint)pointers, w = (nint)factors;
        Each(rows.Count, width, (first, end) => LaneWidth.Run<OdeStageKernel<T>, T>(
            new((T*)state, (T**)k, (double*)w, count, (double*)time, (double*)step, node, (T*)point, (T*)at, width, first, end)));
    }

    // the trial if its time is wanted, and the step that it leads to if its slope is there
    private void First<T>(OdeRows rows, Tensor slope, Tensor trial, Tensor? trialTime, Tensor? trialSlope)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var n = (int)rows.Count;
        var counts = KernelMemory.Pointer<long>(rows.Counts);
        fixed (double* weights = control.Weights)
        {
            var kernel = new OdeStartKernel<T>
            {
                State = KernelMemory.Pointer<T>(rows.State),
                Slope = KernelMemory.Pointer<T>(slope),
                Trial = KernelMemory.Pointer<T>(trial),
                TrialTime = trialTime is null ? null : KernelMemory.Pointer<T>(trialTime),
                TrialSlope = trialSlope is null ? null : KernelMemory.Pointer<T>(trialSlope),
                Step = KernelMemory.Pointer<double>(rows.Step),
                Status = counts + (2 * n),
                Worst = counts + (3 * n),
                Weights = weights,
                Width = (int)(rows.State.numel() / Math.Max(1, n)),
                Control = control,
            };
            for (var row = 0; row < n; row++)
                if (trialSlope is null) kernel.First(row);
                else kernel.Second(row);
        }
        GC.KeepAlive(rows);
        GC.KeepAlive(slope);
        GC.KeepAlive(trial);
        GC.KeepAlive(trialTime);
        GC.KeepAlive(trialSlope);
    }

    private void Take<T>(OdeRows rows, Tensor next, Tensor? endSlope, IReadOnlyList<Tensor> slopes, double[]? errorWeights, Tensor? taken)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var pointers = stackalloc T*[OdeStageKernel<T>.Most];
        var factors = stackalloc double[OdeStageKernel<T>.Most];
        var n = rows.Count;
        var counts = KernelMemory.Pointer<long>(rows.Counts);
        fixed (double* weights = control.Weights)
        {
            var kernel = new OdeTakeKernel<T>
            {
                State = KernelMemory.Pointer<T>(rows.State),
                Next = KernelMemory.Pointer<T>(next),
                Slope = KernelMemory.Pointer<T>(rows.Slope),
                EndSlope = endSlope is null ? null : KernelMemory.Pointer<T>(endSlope),
                Slopes = pointers,
                ErrorWeights = factors,
                Count = errorWeights is null ? 0 : Weighted(slopes, errorWeights, pointers, factors),
                Weights = weights,
                Time = KernelMemory.Pointer<double>(rows.Time),
                Step = KernelMemory.Pointer<double>(rows.Step),
                Error = KernelMemory.Pointer<double>(rows.Error),
                Accepted = counts,
                Rejected = counts + n,
                Status = counts + (2 * n),
                Worst = counts + (3 * n),
                Taken = taken is null ? null : KernelMemory.Pointer<byte>(taken),
                Width = rows.State.numel() / Math.Max(1, n),
            }.With(control);
            Each(n, kernel.Width, kernel.Rows);
        }
    }

    private static void Each(long rows, long width, Action<long, long> part)
    {
        if (rows * width < 2 * Grain) part(0, rows);
        else KernelThreads.For(rows, (double)rows * width, Grain, part);
    }

    // those with a weight
    private static int Weighted<T>(IReadOnlyList<Tensor> slopes, double[] weights, T** pointers, double* factors) where T : unmanaged
    {
        var count = 0;
        for (var j = 0; j < weights.Length; j++)
        {
            if (weights[j] == 0) continue;
            pointers[count] = KernelMemory.Pointer<T>(slopes[j]);
            factors[count++] = weights[j];
        }
        return count;
    }
}
