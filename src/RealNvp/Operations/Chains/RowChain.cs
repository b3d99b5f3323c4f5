using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>Steps of a chain as one operation.</summary>
internal sealed unsafe class RowChain
{
    // numbers of a tensor of the tape, but for a step that needs more: glibc asks the system anew for each tensor of 32 MB or more
    private const long MostOfTensor = (8 << 20) - 1024;

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
        var all = new List<Tensor>(chain.Tensors(true)) { input.contiguous() };
        if (context is not null) all.Add(context.contiguous());
        foreach (var step in steps) all.AddRange(step.Weights);
        Tensor value, logDet;
        if (is_grad_enabled() && all.Exists(t => t.requires_grad))
        {
            var outputs = ChainFunction.Apply([.. all, chain, context is not null]);
            (value, logDet) = (outputs[0], outputs[1]);
        }
        else (value, logDet, _) = chain.Forward(all, context is not null, keeps: false);
        return (value, steps.Exists(step => step.HasLogDet) ? logDet : null);
    }

    /// <summary>The tensors that it computes with: input, context if there is one, and the weights of all steps.</summary>
    public int Tensors(bool hasContext) => (hasContext ? 2 : 1) + counts.Sum();

    /// <summary>Value and log-determinant, without a graph, and the tape: what each step needs for its gradients, and the input of each but
    /// the first.</summary>
    /// <param name="all">Input, context if there is one, and the weights of all steps.</param>
    /// <param name="hasContext">Whether there is a context.</param>
    /// <param name="keeps">Whether there will be gradients; else the tape is empty.</param>
    public (Tensor Value, Tensor LogDet, Tensor[] Tape) Forward(List<Tensor> all, bool hasContext, bool keeps)
    {
        var handles = new IntPtr[all.Count];
        for (var i = 0; i < handles.Length; i++) handles[i] = all[i].Handle;
        var (rows, features, seen) = Sizes(handles[0], hasContext ? handles[1] : 0);
        var (places, sizes) = keeps ? Places(rows, features) : ([], []);
        Tensor[] tape = [.. sizes.Select(count => empty([count], ScalarType.Float32, CPU))];
        Tensor value = empty(all[0].Sizes(), ScalarType.Float32, CPU), logDet = empty([rows], ScalarType.Float32, CPU);
        var size = KernelRoom.Whole((long)rows * features);
        // without a tape the values between steps are in two places by turns
        using var between = new KernelRoom(keeps || steps.Length == 1 ? 0 : 2 * size);
        float* x = KernelMemory.FloatsOf(handles[0]), context = hasContext ? KernelMemory.FloatsOf(handles[1]) : null;
        float* sum = KernelMemory.Pointer<float>(logDet), room = between.Memory;
        new Span<float>(sum, rows).Clear();
        var weights = Weights(handles, hasContext, null);
        var first = 0;
        for (var i = 0; i < steps.Length; i++)
        {
            Span<float> own = default;
            var y = room + (i % 2 * size);
            if (keeps)
            {
                var at = KernelMemory.Pointer<float>(tape[places[i].Tensor]) + places[i].At;
                own = new(at, places[i].Length);
                y = at + KernelRoom.Whole(places[i].Length);
            }
            if (i == steps.Length - 1) y = KernelMemory.Pointer<float>(value);
            steps[i].Forward(new(rows, features, seen, x, context, y, sum, own, weights, first, counts[i]));
            x = y;
            first += counts[i];
        }
        GC.KeepAlive(all);
        GC.KeepAlive(tape);
        return (value, logDet, tape);
    }

    /// <summary>Writes the gradients.</summary>
    /// <param name="all">Handles of what <see cref="Forward"/> got.</param>
    /// <param name="hasContext">Whether there is a context.</param>
    /// <param name="tape">What <see cref="Forward"/> wrote down, as handles.</param>
    /// <param name="ofValue">The gradient of the value.</param>
    /// <param name="ofLogDet">The gradient of the log-determinant (N).</param>
    /// <param name="gradients">Gets those that are wanted.</param>
    public void Backward(ReadOnlySpan<IntPtr> all, bool hasContext, ReadOnlySpan<IntPtr> tape, Tensor ofValue, Tensor ofLogDet,
        NewGradients gradients)
    {
        var (rows, features, seen) = Sizes(all[0], hasContext ? all[1] : 0);
        float* context = null, ofContext = null;
        if (hasContext)
        {
            context = KernelMemory.FloatsOf(all[1]);
            ofContext = gradients[1];
        }
        if (ofContext != null) new Span<float>(ofContext, rows * seen).Clear();
        var size = KernelRoom.Whole((long)rows * features);
        using var room = new KernelRoom((2 * size) + rows);
        using var plain = ofValue.contiguous();
        float* between = room.Memory, sum = between + (2 * size), slope = KernelMemory.Pointer<float>(plain);
        var (from, step) = ((nint)KernelMemory.Pointer<float>(ofLogDet), (nint)ofLogDet.stride(0));
        for (var row = 0; row < rows; row++) sum[row] = ((float*)from)[row * step];

        var weights = Weights(all, hasContext, gradients);
        var places = Places(rows, features).Places;
        float* At(Place place, ReadOnlySpan<IntPtr> tape) => KernelMemory.FloatsOf(tape[place.Tensor]) + place.At;
        var first = counts.Sum();
        for (var i = steps.Length - 1; i >= 0; i--)
        {
            first -= counts[i];
            var x = i == 0 ? KernelMemory.FloatsOf(all[0]) : At(places[i - 1], tape) + KernelRoom.Whole(places[i - 1].Length);
            var ofInput = i == 0 ? gradients[0] : between + (i % 2 * size);
            var own = new Span<float>(At(places[i], tape), places[i].Length);
            steps[i].Backward(new(rows, features, seen, x, context, own, slope, sum, ofInput, ofContext, weights, first, counts[i]));
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

    // of each step what it writes down, and behind that its value, but for the last one
    private (Place[] Places, List<long> Sizes) Places(int rows, int features)
    {
        var (places, sizes) = (new Place[steps.Length], new List<long>());
        for (var i = 0; i < places.Length; i++)
        {
            var length = checked((int)steps[i].TapeSize(rows));
            var size = KernelRoom.Whole(length) + (i == places.Length - 1 ? 0 : KernelRoom.Whole((long)rows * features));
            if (i == 0 || sizes[^1] + size > MostOfTensor) sizes.Add(0);
            places[i] = new(sizes.Count - 1, sizes[^1], length);
            sizes[^1] += size;
        }
        return (places, sizes);
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

    private readonly record struct Place(int Tensor, long At, int Length);
}
