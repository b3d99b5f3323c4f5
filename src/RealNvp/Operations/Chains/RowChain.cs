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

    /// <summary>Whether some steps can run on a matrix (N, D), and it is worth it: at least two of them have weights.</summary>
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
    public static bool HasRoom(ChainStep step, long rows) => !is_grad_enabled() || step.TapeSize((int)rows) <= int.MaxValue;

    /// <summary>Value (N, D) and log-determinant (N), null if it is 0. Runs in a dispose scope.</summary>
    /// <param name="steps">The steps, whose weights can be read.</param>
    /// <param name="input">(N, D), float32 on the CPU.</param>
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

    /// <summary>The numbers of the tape for so many rows: the input of each step but the first, and what each step needs.</summary>
    public long TapeSize(int rows, int features)
    {
        var size = (steps.Length - 1) * Whole((long)rows * features);
        foreach (var step in steps) size += Whole(step.TapeSize(rows));
        return size;
    }

    /// <summary>Value and log-determinant, without a graph.</summary>
    /// <param name="all">Input, context if there is one, and the weights of all steps.</param>
    /// <param name="hasContext">Whether there is a context.</param>
    /// <param name="tape">Gets what the gradients need; null if there will be none.</param>
    public (Tensor Value, Tensor LogDet) Forward(IReadOnlyList<Tensor> all, bool hasContext, Tensor? tape)
    {
        var (rows, features, seen) = Sizes(all, hasContext);
        Tensor value = empty([rows, features], ScalarType.Float32, CPU), logDet = empty([rows], ScalarType.Float32, CPU);
        var size = Whole((long)rows * features);
        // without a tape the values between steps are in two places by turns
        using var between = tape is null && steps.Length > 1 ? empty([2 * size], ScalarType.Float32, CPU) : null;
        float* x = KernelMemory.Pointer<float>(all[0]), context = hasContext ? KernelMemory.Pointer<float>(all[1]) : null;
        float* sum = KernelMemory.Pointer<float>(logDet), at = KernelMemory.Floats(tape ?? between);
        new Span<float>(sum, rows).Clear();
        var weights = Weights(all, hasContext, null);
        var first = 0;
        for (var i = 0; i < steps.Length; i++)
        {
            var own = tape is null ? default : new Span<float>(at, checked((int)steps[i].TapeSize(rows)));
            if (tape is not null) at += Whole(own.Length);
            var y = i == steps.Length - 1 ? KernelMemory.Pointer<float>(value) : tape is null ? at + (i % 2 * size) : at;
            if (tape is not null) at += size;
            steps[i].Forward(new(rows, features, seen, x, context, y, sum, own, weights, first));
            x = y;
            first += counts[i];
        }
        return (value, logDet);
    }

    /// <summary>The gradients, null for what requires none.</summary>
    /// <param name="all">As of <see cref="Forward"/>.</param>
    /// <param name="hasContext">Whether there is a context.</param>
    /// <param name="tape">What <see cref="Forward"/> wrote down.</param>
    /// <param name="ofValue">The gradient of the value (N, D).</param>
    /// <param name="ofLogDet">The gradient of the log-determinant (N).</param>
    public List<Tensor?> Backward(IReadOnlyList<Tensor> all, bool hasContext, Tensor tape, Tensor ofValue, Tensor ofLogDet)
    {
        var (rows, features, seen) = Sizes(all, hasContext);
        var results = new List<Tensor?>(all.Count);
        foreach (var tensor in all) results.Add(tensor.requires_grad ? empty(tensor.shape, ScalarType.Float32, CPU) : null);
        if (hasContext && results[1] is { } given) new Span<float>(KernelMemory.Pointer<float>(given), rows * seen).Clear();
        var size = Whole((long)rows * features);
        using var room = empty([(2 * size) + rows], ScalarType.Float32, CPU);
        using var plain = ofValue.contiguous();
        float* between = KernelMemory.Pointer<float>(room), sum = between + (2 * size), slope = KernelMemory.Pointer<float>(plain);
        float* context = hasContext ? KernelMemory.Pointer<float>(all[1]) : null;
        float* ofContext = hasContext ? KernelMemory.Floats(results[1]) : null;
        var (from, step) = ((nint)KernelMemory.Pointer<float>(ofLogDet), (nint)ofLogDet.stride(0));
        for (var row = 0; row < rows; row++) sum[row] = ((float*)from)[row * step];

        var weights = Weights(all, hasContext, results);
        float* end = KernelMemory.Pointer<float>(tape) + TapeSize(rows, features), input = KernelMemory.Pointer<float>(all[0]);
        var first = counts.Sum();
        for (var i = steps.Length - 1; i >= 0; i--)
        {
            first -= counts[i];
            // the tape of a step, with the value after it but for the last one
            var length = steps[i].TapeSize(rows);
            var at = end - (i == steps.Length - 1 ? 0 : size) - Whole(length);
            var x = i == 0 ? input : at - size;
            var ofInput = i == 0 ? KernelMemory.Floats(results[0]) : between + (i % 2 * size);
            steps[i].Backward(new(rows, features, seen, x, context, new(at, checked((int)length)), slope, sum, ofInput, ofContext, weights,
                first));
            end = at;
            slope = ofInput;
        }
        return results;
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
        return (value, total ?? zeros(all[0].shape[0], dtype: value.dtype, device: value.device));
    }

    private static ChainWeights Weights(IReadOnlyList<Tensor> all, bool hasContext, List<Tensor?>? gradients)
    {
        var from = hasContext ? 2 : 1;
        var weights = new ChainWeights(all.Count - from);
        for (var i = from; i < all.Count; i++)
        {
            weights.From[i - from] = KernelMemory.Pointer<float>(all[i]);
            weights.Lengths[i - from] = checked((int)all[i].numel());
            if (gradients is not null) weights.To[i - from] = KernelMemory.Floats(gradients[i]);
        }
        return weights;
    }

    private static (int Rows, int Features, int Context) Sizes(IReadOnlyList<Tensor> all, bool hasContext) =>
        (checked((int)all[0].shape[0]), checked((int)all[0].shape[1]), hasContext ? checked((int)all[1].shape[1]) : 0);

    private static long Whole(long count) => (count + Line - 1) / Line * Line;
}
