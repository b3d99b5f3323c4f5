using System.Buffers;
using System.Runtime.InteropServices;
using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>
/// A matrix W = P·L·U at each pixel of images, alone or with a scale and a shift of each channel before it, as one product a pixel:
/// z = W·(x ⊙ exp(s) + b) = (W·diag(exp s))·x + W·b.
/// </summary>
/// <param name="Rows">The permutation π.</param>
/// <param name="Sign">The signs of U's diagonal.</param>
internal sealed record ScaledLinear(int[] Rows, float[] Sign)
{
    // work that is worth a thread of its own, in multiply-adds of matrices that are too small to run at the speed of others
    private const double Grain = 1 << 18;

    // examples whose gradients are added in float32 before float64 takes over
    private const int MostExamples = 16;

    /// <summary>The fixed parts of a layer, if the kernel can run on it; else null.</summary>
    /// <param name="x">(N, C, H, W).</param>
    /// <param name="lu">The packed form (C, C).</param>
    /// <param name="permutation">π (C).</param>
    /// <param name="sign">The signs of U's diagonal (C).</param>
    /// <param name="scale">s (C), or null.</param>
    /// <param name="shift">b (C), if there is s.</param>
    /// <param name="inverse">The direction.</param>
    public static unsafe ScaledLinear? Of(Tensor x, Tensor lu, Tensor permutation, Tensor sign, Tensor? scale, Tensor? shift, bool inverse)
    {
        // beyond so many the products of libraries are faster
        if (!ChannelsLast.CanRun(x) || x.numel() == 0 || x.size(1) is var c && c > LuMatrix.MostRows) return null;
        bool IsFloats(Tensor t, params ReadOnlySpan<long> shape) => KernelMemory.Is(t, ScalarType.Float32, shape);
        if (!IsFloats(lu, c, c) || !IsFloats(sign, c) || !KernelMemory.Is(permutation, ScalarType.Int64, c)
                || (scale is not null && !(scale.numel() == c && shift!.numel() == c && IsFloats(scale, scale.Sizes())
                && IsFloats(shift, shift.Sizes()))))
            return null;
        if (inverse && is_grad_enabled() && (x.requires_grad || lu.requires_grad || scale is { requires_grad: true }
                || shift is { requires_grad: true }))
            return null;
        var rows = new int[c];
        for (var i = 0; i < rows.Length; i++) rows[i] = (int)KernelMemory.Pointer<long>(permutation)[i];
        return new(rows, Floats(sign).ToArray());
    }

    /// <summary>The value and the log-determinant (N) of the map, with gradients if they are wanted.</summary>
    public (Tensor Value, Tensor LogDet) Run(Tensor x, Tensor lu, Tensor? scale, Tensor? shift, bool inverse)
    {
        if (inverse || !is_grad_enabled() || !(x.requires_grad || lu.requires_grad || scale is { requires_grad: true }
            || shift is { requires_grad: true }))
            return Compute(x, lu, scale, shift, inverse);
        var outputs = scale is null ? ScaledLinearFunction.Apply(x, lu, this) : ScaledLinearFunction.Apply(x, lu, scale, shift!, this);
        return (outputs[0], outputs[1]);
    }

    /// <summary>The same in plain operations.</summary>
    public (Tensor Value, Tensor LogDet) Reference(Tensor x, Tensor lu, Tensor? scale, Tensor? shift)
    {
        var (rows, sign) = (tensor([.. Rows.Select(r => (long)r)], device: x.device), tensor(Sign, dtype: lu.dtype, device: x.device));
        var (scaled, logDet) = (x, lu.diagonal().sum());
        if (scale is not null)
        {
            scaled = x.mul(RunningMoments.PerChannel(scale, 4).exp()).add(RunningMoments.PerChannel(shift!, 4), Scalars.One);
            logDet = logDet.add(scale.sum(), Scalars.One);
        }
        return (LuMath.Apply(LuMath.FromLu(lu, rows, sign), scaled), LuMath.ByExample(logDet, x));
    }

    internal unsafe (Tensor Value, Tensor LogDet) Compute(Tensor x, Tensor lu, Tensor? scale, Tensor? shift, bool inverse)
    {
        var size = x.Sizes();
        var (count, channels, pixels) = (size[0], Rows.Length, checked((int)(size[2] * size[3])));
        using var matrix = new LuMatrix(Floats(lu), Rows, Sign);
        var factors = Factors(matrix, scale, shift, inverse);
        var (from, batch) = Lines(x);
        Tensor y = empty(size, dtype: ScalarType.Float32, device: CPU), logDet = empty(count, dtype: ScalarType.Float32, device: CPU);
        Floats(logDet).Fill((float)((inverse ? -pixels : pixels) * (matrix.LogDet + Sum(scale))));
        float* px = KernelMemory.Pointer<float>(from), py = KernelMemory.Pointer<float>(y);
        var each = channels * pixels;
        KernelThreads.For(count, (double)count * each * channels, Grain, (start, end) =>
        {
            fixed (float* m = factors)
            {
                var added = m + (channels * channels);
                using var room = new Room(PixelLanes.Scratch(channels));
                for (var n = start; n < end; n++)
                    PixelLanes.Run(m, added, px + (n * batch), py + (n * each), channels, pixels, room.Memory);
            }
        });
        ArrayPool<float>.Shared.Return(factors);
        GC.KeepAlive(from);
        return (y, logDet);
    }

    /// <summary>The gradients of x, lu, s and b; the last two null if there are none.</summary>
    internal (Tensor X, Tensor Lu, Tensor? Scale, Tensor? Shift) Differentiate(Tensor x, Tensor lu, Tensor? scale, Tensor? shift,
        Tensor gradient, Tensor logDetGradient) => Differentiate(x, null, lu, scale, shift, gradient, logDetGradient);

    /// <summary>From the value, x and the gradients of x, lu, s and b; the last two null if there are none.</summary>
    internal (Tensor X, Tensor Gradient, Tensor Lu, Tensor? Scale, Tensor? Shift) StepBack(Tensor value, Tensor lu, Tensor? scale,
        Tensor? shift, Tensor gradient, Tensor logDetGradient)
    {
        var x = empty(value.Sizes(), dtype: ScalarType.Float32, device: CPU);
        var (ofX, dlu, ds, db) = Differentiate(x, value, lu, scale, shift, gradient, logDetGradient);
        return (x, ofX, dlu, ds, db);
    }

    // where there is a value, x is written here, and is what the value comes from
    private unsafe (Tensor X, Tensor Lu, Tensor? Scale, Tensor? Shift) Differentiate(Tensor x, Tensor? value, Tensor lu, Tensor? scale,
        Tensor? shift, Tensor gradient, Tensor logDetGradient)
    {
        using var matrix = new LuMatrix(Floats(lu), Rows, Sign);
        var size = x.Sizes();
        var (count, channels, pixels) = (size[0], Rows.Length, checked((int)(size[2] * size[3])));
        var undo = value is null ? null : Factors(matrix, scale, shift, inverse: true);
        var (given, givenBatch) = value is null ? (x, 0) : Lines(value);
        var factors = Factors(matrix, scale, shift, inverse: false);
        // what the gradient is multiplied by: the matrix turned, with no shift
        var turned = ArrayPool<float>.Shared.Rent(channels * (channels + 1));
        for (var i = 0; i < channels; i++)
            for (var j = 0; j < channels; j++) turned[(j * channels) + i] = factors[(i * channels) + j];
        turned.AsSpan(channels * channels, channels).Clear();
        ArrayPool<float>.Shared.Return(factors);
        var ((values, batch), (gradients, gradientBatch)) = (Lines(x), Lines(gradient));
        var dx = empty(size, dtype: ScalarType.Float32, device: CPU);
        float* px = KernelMemory.Pointer<float>(values), pg = KernelMemory.Pointer<float>(gradients), pdx = KernelMemory.Pointer<float>(dx),
            pz = KernelMemory.Pointer<float>(given);
        var each = channels * pixels;
        // parts of a fixed size, so that the sums do not depend on the number of threads
        var examples = Math.Clamp((count + 3) / 4, 1, MostExamples);
        var (parts, width) = ((count + examples - 1) / examples, PixelLanes.Width(channels));
        var length = checked((int)(parts * channels * width));
        var sums = ArrayPool<float>.Shared.Rent(length);
        sums.AsSpan(0, length).Clear();
        KernelThreads.For(parts, (double)count * each * channels, Grain, (start, end) =>
        {
            fixed (float* m = turned, all = sums, back = undo)
            {
                float* zeros = m + (channels * channels), origin = back + (channels * channels);
                using var room = new Room(PixelLanes.Scratch(channels));
                for (var n = start * examples; n < Math.Min(end * examples, count); n++)
                {
                    if (back != null) PixelLanes.Run(back, origin, pz + (n * givenBatch), px + (n * batch), channels, pixels, room.Memory);
                    PixelLanes.Run(m, zeros, pg + (n * gradientBatch), pdx + (n * each), channels, pixels, room.Memory);
                    PixelLanes.AddGradient(px + (n * batch), pg + (n * gradientBatch), channels, pixels,
                        all + (n / examples * channels * width), room.Memory);
                }
            }
        });
        GC.KeepAlive(given);
        GC.KeepAlive(values);
        GC.KeepAlive(gradients);
        var logDet = pixels * logDetGradient.sum(ScalarType.Float64).item<double>();
        var results = Weights(matrix, lu, scale, shift, sums, (int)parts, width, logDet, dx);
        ArrayPool<float>.Shared.Return(turned);
        ArrayPool<float>.Shared.Return(sums);
        if (undo is not null) ArrayPool<float>.Shared.Return(undo);
        return results;
    }

    // from Σ g·xᵀ and Σ g: with u = x ⊙ exp(s) + b, ∂W = Σ g·uᵀ
    private (Tensor, Tensor, Tensor?, Tensor?) Weights(LuMatrix matrix, Tensor lu, Tensor? scale, Tensor? shift, float[] sums, int parts,
        int width, double logDet, Tensor dx)
    {
        var channels = Rows.Length;
        var (dlu, ds, db) = (empty_like(lu), scale is null ? null : empty_like(scale), shift is null ? null : empty_like(shift));
        var rented = ArrayPool<double>.Shared.Rent(channels * channels);
        var product = rented.AsSpan(0, channels * channels);
        var w = scale is null ? [] : matrix.Product();
        Span<double> along = stackalloc double[channels], down = stackalloc double[channels], s = stackalloc double[channels];
        Span<float> none = stackalloc float[channels];
        none.Clear();
        var b = shift is null ? none : Floats(shift);
        Exp(scale, 1, s);
        along.Clear();
        down.Clear();
        for (var i = 0; i < channels; i++)
        {
            var total = Add(sums, parts, width, i, channels);
            for (var j = 0; j < channels; j++)
            {
                var (ofElement, at) = (Add(sums, parts, width, i, j), (i * channels) + j);
                if (scale is not null) (along[j], down[j]) = (along[j] + (ofElement * w[at] * s[j]), down[j] + (total * w[at]));
                product[at] = (ofElement * s[j]) + (total * b[j]);
            }
        }
        matrix.Gradient(product, logDet, Floats(dlu));
        ArrayPool<double>.Shared.Return(rented);
        for (var j = 0; j < channels && ds is not null; j++) (Floats(ds)[j], Floats(db!)[j]) = ((float)(along[j] + logDet), (float)down[j]);
        return (dx, dlu, ds, db);
    }

    private double Add(float[] sums, int parts, int width, int row, int column)
    {
        double sum = 0;
        for (var part = 0; part < parts; part++) sum += sums[(((part * Rows.Length) + row) * width) + column];
        return sum;
    }

    // the matrix, row by row, and behind it what is added; the caller returns the array to the pool
    private float[] Factors(LuMatrix matrix, Tensor? scale, Tensor? shift, bool inverse)
    {
        var channels = Rows.Length;
        var factors = ArrayPool<float>.Shared.Rent(channels * (channels + 1));
        Span<double> s = stackalloc double[channels];
        Exp(scale, inverse ? -1 : 1, s);
        var w = inverse ? matrix.Inverse() : matrix.Product();
        var b = shift is null ? [] : Floats(shift);
        for (var i = 0; i < channels; i++)
        {
            double sum = 0;
            for (var j = 0; j < channels; j++)
            {
                factors[(i * channels) + j] = (float)(w[(i * channels) + j] * s[inverse ? i : j]);
                if (b.Length > 0 && !inverse) sum += w[(i * channels) + j] * b[j];
            }
            factors[(channels * channels) + i] = (float)(b.Length > 0 && inverse ? -s[i] * b[i] : sum);
        }
        return factors;
    }

    private static void Exp(Tensor? scale, double sign, Span<double> result)
    {
        result.Fill(1);
        if (scale is null) return;
        var values = Floats(scale);
        for (var i = 0; i < result.Length; i++) result[i] = Math.Exp(sign * values[i]);
    }

    private static double Sum(Tensor? scale)
    {
        double sum = 0;
        if (scale is not null) foreach (var s in Floats(scale)) sum += s;
        return sum;
    }

    // rows of pixels that lie together, and from one example to the next
    private static (Tensor Rows, long Batch) Lines(Tensor x)
    {
        var (size, stride) = (x.Sizes(), x.Strides());
        if (stride[3] == 1 && stride[2] == size[3] && stride[1] == size[2] * size[3]) return (x, stride[0]);
        return (x.contiguous(), size[1] * size[2] * size[3]);
    }

    private static unsafe Span<float> Floats(Tensor t) => new(KernelMemory.Pointer<float>(t), checked((int)t.numel()));

    private readonly unsafe struct Room(int count) : IDisposable
    {
        public readonly float* Memory = (float*)NativeMemory.AlignedAlloc((nuint)count * sizeof(float), 64);

        public void Dispose() => NativeMemory.AlignedFree(Memory);
    }
}

/// <summary><see cref="ScaledLinear"/> with its gradient.</summary>
internal sealed class ScaledLinearFunction : KernelFunction<ScaledLinearFunction>
{
    private const string FormKey = "form";

    protected override bool OwnsGradients => true;

    /// <summary>Arguments: x, lu, and s and b if there are any; the <see cref="ScaledLinear"/>.</summary>
    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var (tensors, form) = (arguments[..^1].Cast<Tensor>().ToList(), (ScaledLinear)arguments[^1]);
        context.save_data(FormKey, form);
        context.save_for_backward(tensors);
        var (value, logDet) = form.Compute(tensors[0], tensors[1], tensors.ElementAtOrDefault(2), tensors.ElementAtOrDefault(3),
            inverse: false);
        return [value, logDet];
    }

    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var saved = context.get_saved_variables();
        var form = (ScaledLinear)context.get_data(FormKey);
        if (is_grad_enabled())
            return [.. KernelReference.Differentiate(i => { var (z, l) = form.Reference(i[0], i[1], i.ElementAtOrDefault(2),
                i.ElementAtOrDefault(3)); return [z, l]; }, saved, gradients), null];
        var (x, lu, scale, shift) = form.Differentiate(saved[0], saved[1], saved.ElementAtOrDefault(2), saved.ElementAtOrDefault(3),
            gradients[0], gradients[1]);
        return saved.Count == 2 ? [x, lu, null] : [x, lu, scale, shift, null];
    }
}
