using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>Steps of a chain as one operation.</summary>
internal sealed unsafe class RowChain
{
    // numbers of a cache line, at which each part of the tape begins
    private const long Line = 16;
    private readonly ChainStep[] steps;
    private readonly int[] counts;

    private RowChain(List<ChainStep> steps)
    {
        this.steps = [.. steps];
        counts = Array.ConvertAll(this.steps, step => step.Weights.Count);
    }

    /// <summary>Whether some steps are worth a chain: at least two of them have weights.</summary>
    public static bool IsWorth(List<ChainStep> steps)
    {
        var weighing = 0;
        foreach (var step in steps)
            if (step.Weights.Count > 0) weighing++;
        return weighing > 1;
    }

    /// <summary>Whether kernels can read the weights of a step.</summary>
    public static bool CanRead(ChainStep step)
    {
        foreach (var weight in step.Weights)
            if (!KernelMemory.IsFloats(weight.Handle)) return false;
        return true;
    }

    /// <summary>Whether what a step writes down for its gradients fits a span; else a layer is alone.</summary>
    /// <exception cref="InvalidOperationException">The step says that it is less than nothing.</exception>
    public static bool HasRoom(ChainStep step, long rows)
    {
        if (!is_grad_enabled()) return true;
        var size = step.TapeSize((int)rows);
        return size >= 0 ? size <= int.MaxValue : throw new InvalidOperationException(
            $"{step.GetType().Name}.{nameof(ChainStep.TapeSize)} of {rows} rows is {size}; it must be 0 or more.");
    }

    /// <summary>Value and log-determinant (N), null if it is 0. Runs in a dispose scope.</summary>
    /// <param name="steps">The steps, whose weights can be read.</param>
    /// <param name="input">(N, D) or (N, C, H, W), float32 on the CPU.</param>
    /// <param name="context">(N, C), the same; null if there is none.</param>
    public static (Tensor Value, Tensor? LogDet) Run(List<ChainStep> steps, Tensor input, Tensor? context)
    {
        var chain = new RowChain(steps);
        var all = new List<Tensor>(2 + chain.counts.Sum()) { input.contiguous() };
        if (context is not null) all.Add(context.contiguous());
        foreach (var step in steps) all.AddRange(step.Weights);
        Tensor value, logDet;
        if (is_grad_enabled() && all.Exists(t => t.requires_grad))
        {
            var outputs = ChainFunction.Apply([.. all, chain, context is not null]);
            (value, logDet) = (outputs[0], outputs[1]);
        }
        else (value, logDet) = chain.Forward(all, context is not null, null);
        return (value, steps.Exists(step => step.HasLogDet) ? logDet : null);
    }

    /// <summary>The numbers of the tape for such an input: the input of each step but the first, and what each step needs.</summary>
    public long TapeSize(Tensor input)
    {
        var (rows, features, _) = Sizes(input.Handle, 0);
        return TapeSize(rows, features);
    }

    /// <summary>Value and log-determinant, without a graph.</summary>
    /// <param name="all">Input, context if there is one, and the weights of all steps.</param>
    /// <param name="hasContext">Whether there is a context.</param>
    /// <param name="tape">Gets what the gradients need; null if there will be none.</param>
    public (Tensor Value, Tensor LogDet) Forward(List<Tensor> all, bool hasContext, Tensor? tape)
    {
        var handles = new IntPtr[all.Count];
        for (var i = 0; i < handles.Length; i++) handles[i] = all[i].Handle;
        var (rows, features, seen) = Sizes(handles[0], hasContext ? handles[1] : 0);
        Tensor value = empty(all[0].Sizes(), ScalarType.Float32, CPU), logDet = empty([rows], ScalarType.Float32, CPU);
        var size = Whole((long)rows * features);
        // without a tape the values between steps are in two places by turns
        using var between = tape is null && steps.Length > 1 ? empty([2 * size], ScalarType.Float32, CPU) : null;
        float* x = KernelMemory.FloatsOf(handles[0]), context = hasContext ? KernelMemory.FloatsOf(handles[1]) : null;
        float* sum = KernelMemory.Pointer<float>(logDet), at = KernelMemory.Floats(tape ?? between);
        new Span<float>(sum, rows).Clear();
        var weights = Weights(handles, hasContext, null);
        var first = 0;
        for (var i = 0; i < steps.Length; i++)
        {
            var own = tape is null ? default : new Span<float>(at, checked((int)steps[i].TapeSize(rows)));
            if (tape is not null) at += Whole(own.Length);
            var y = i == steps.Length - 1 ? KernelMemory.Pointer<float>(value) : tape is null ? at + (i % 2 * size) : at;
            if (tape is not null) at += size;
            steps[i].Forward(new(rows, features, seen, x, context, y, sum, own, weights, first, counts[i]));
            x = y;
            first += counts[i];
        }
        GC.KeepAlive(all);
        return (value, logDet);
    }

    /// <summary>Writes the gradients.</summary>
    /// <param name="all">Handles of what <see cref="Forward"/> got.</param>
    /// <param name="hasContext">Whether there is a context.</param>
    /// <param name="tape">What <see cref="Forward"/> wrote down, as a handle.</param>
    /// <param name="ofValue">The gradient of the value.</param>
    /// <param name="ofLogDet">The gradient of the log-determinant (N).</param>
    /// <param name="gradients">Gets those that are wanted.</param>
    public void Backward(ReadOnlySpan<IntPtr> all, bool hasContext, IntPtr tape, Tensor ofValue, Tensor ofLogDet, NewGradients gradients)
    {
        var (rows, features, seen) = Sizes(all[0], hasContext ? all[1] : 0);
        float* context = null, ofContext = null;
        if (hasContext)
        {
            context = KernelMemory.FloatsOf(all[1]);
            ofContext = gradients[1];
        }
        if (ofContext != null) new Span<float>(ofContext, rows * seen).Clear();
        var size = Whole((long)rows * features);
        using var room = empty([(2 * size) + rows], ScalarType.Float32, CPU);
        using var plain = ofValue.contiguous();
        float* between = KernelMemory.Pointer<float>(room), sum = between + (2 * size), slope = KernelMemory.Pointer<float>(plain);
        var (from, step) = ((nint)KernelMemory.Pointer<float>(ofLogDet), (nint)ofLogDet.stride(0));
        for (var row = 0; row < rows; row++) sum[row] = ((float*)from)[row * step];

        var weights = Weights(all, hasContext, gradients);
        float* end = KernelMemory.FloatsOf(tape) + TapeSize(rows, features), input = KernelMemory.FloatsOf(all[0]);
        var first = counts.Sum();
        for (var i = steps.Length - 1; i >= 0; i--)
        {
            first -= counts[i];
            // the tape of a step, with the value after it but for the last one
            var length = steps[i].TapeSize(rows);
            var at = end - (i == steps.Length - 1 ? 0 : size) - Whole(length);
            var x = i == 0 ? input : at - size;
            var ofInput = i == 0 ? gradients[0] : between + (i % 2 * size);
            steps[i].Backward(new(rows, features, seen, x, context, new(at, checked((int)length)), slope, sum, ofInput, ofContext, weights,
                first, counts[i]));
            end = at;
            slope = ofInput;
        }
    }

    /// <summary>The chain in plain operations. Runs in a dispose scope.</summary>
    public (Tensor Value, Tensor LogDet) Reference(IReadOnlyList<Tensor> all, bool hasContext)
    {
        var (value, context, next) = (all[0], hasContext ? all[1] : null, hasContext ? 2 : 1);
        Tensor? total = null;
        for (var i = 0; i < steps.Length; i++)
        {
            var (y, logDet) = steps[i].Reference(value, context, [.. all.Skip(next).Take(counts[i])]);
            next += counts[i];
            value = y;
            if (logDet is not null) total = total is null ? logDet : total.add(logDet, Internal.Scalars.One);
        }
        return (value, total ?? zeros(all[0].size(0), dtype: value.dtype, device: value.device));
    }

    private long TapeSize(int rows, int features)
    {
        var size = (steps.Length - 1) * Whole((long)rows * features);
        foreach (var step in steps) size += Whole(step.TapeSize(rows));
        return size;
    }

    private static ChainWeights Weights(ReadOnlySpan<IntPtr> all, bool hasContext, NewGradients? gradients)
    {
        var from = hasContext ? 2 : 1;
        var weights = new ChainWeights(all.Length - from);
        for (var i = from; i < all.Length; i++)
        {
            weights.From[i - from] = KernelMemory.FloatsOf(all[i]);
            weights.Lengths[i - from] = checked((int)KernelMemory.CountOf(all[i]));
            if (gradients is not null) weights.To[i - from] = gradients[i];
        }
        return weights;
    }

    private static (int Rows, int Features, int Context) Sizes(IntPtr input, IntPtr context) =>
        (checked((int)KernelMemory.SizeOf(input, 0)), checked((int)(KernelMemory.CountOf(input) / KernelMemory.SizeOf(input, 0))),
            context == 0 ? 0 : checked((int)KernelMemory.SizeOf(context, 1)));

    private static long Whole(long count) => (count + Line - 1) / Line * Line;
}
