using System.Buffers;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>
/// A matrix W = P·L·U at each pixel of images or of vectors, alone or with a scale and a shift of each channel before it, as one product
/// a pixel: z = W·(x ⊙ exp(s) + b) = (W·diag(exp s))·(x + b ⊙ exp(−s)). A vector (N, C) is an image of one pixel.
/// </summary>
/// <remarks>What is added goes to x, and not W·b to the product: for data far from zero both would be large and nearly cancel.</remarks>
/// <param name="Rows">The permutation π.</param>
/// <param name="Sign">The signs of U's diagonal.</param>
internal sealed partial record ScaledLinear(int[] Rows, float[] Sign)
{
    // work that is worth a thread of its own, in multiply-adds of matrices that are too small to run at the speed of others
    private const double Grain = 1 << 18;

    // examples whose gradients are added in float32 before float64 takes over, images and those of one pixel
    private const int MostImages = 16, MostVectors = 256;

    // the largest number that is added to x: times exp(s) it neither is too large nor takes what is too small
    private const float MostBefore = 1e15f;

    /// <summary>The fixed parts of a layer, if the kernel can run on it; else null.</summary>
    /// <param name="x">(N, C, H, W) or (N, C).</param>
    /// <param name="lu">The packed form (C, C).</param>
    /// <param name="permutation">π (C).</param>
    /// <param name="sign">The signs of U's diagonal (C).</param>
    /// <param name="scale">s (C), or null.</param>
    /// <param name="shift">b (C), if there is s.</param>
    public static unsafe ScaledLinear? Of(Tensor x, Tensor lu, Tensor permutation, Tensor sign, Tensor? scale, Tensor? shift)
    {
        // beyond so many the products of libraries are faster
        if (!CanRun(x) || x.numel() == 0 || x.size(1) is var c && c > LuMatrix.MostRows) return null;
        bool IsFloats(Tensor t, params ReadOnlySpan<long> shape) => KernelMemory.Is(t, ScalarType.Float32, shape);
        if (!IsFloats(lu, c, c) || !IsFloats(sign, c) || !KernelMemory.Is(permutation, ScalarType.Int64, c)
                || (scale is not null && !(scale.numel() == c && shift!.numel() == c && IsFloats(scale, scale.Sizes())
                && IsFloats(shift, shift.Sizes()))))
            return null;
        var rows = new int[c];
        for (var i = 0; i < rows.Length; i++)
        {
            // a buffer may hold anything
            var row = KernelMemory.Pointer<long>(permutation)[i];
            if ((ulong)row >= (ulong)c) return null;
            rows[i] = (int)row;
        }
        return new(rows, new ReadOnlySpan<float>(At(sign), rows.Length).ToArray());
    }

    /// <summary>The map of one call as a step of a chain.</summary>
    /// <param name="lu">The packed form (C, C).</param>
    /// <param name="scale">s (C), or null.</param>
    /// <param name="shift">b (C), if there is s.</param>
    /// <param name="inverse">The direction.</param>
    public ScaledLinearStep Step(Tensor lu, Tensor? scale, Tensor? shift, bool inverse) =>
        new(this, scale is null ? [lu] : [lu, scale, shift!], inverse);

    /// <summary>Writes the value, and adds the log-determinants.</summary>
    /// <param name="count">N.</param>
    /// <param name="pixels">H·W.</param>
    /// <param name="x">(N, C, H·W).</param>
    /// <param name="weights">The weights.</param>
    /// <param name="inverse">The direction.</param>
    /// <param name="y">Gets the value.</param>
    /// <param name="logDet">(N), to which they are added.</param>
    public unsafe void Forward(int count, int pixels, float* x, in LinearWeights weights, bool inverse, float* y, float* logDet)
    {
        using var matrix = new LuMatrix(new(weights.Lu, Rows.Length * Rows.Length), Rows, Sign);
        using var product = Product(matrix, weights, pixels, inverse);
        var all = (float)((inverse ? -pixels : pixels) * (matrix.LogDet + Sum(weights.Scale)));
        for (var n = 0; n < count; n++) logDet[n] += all;
        var each = (long)Rows.Length * pixels;
        KernelThreads.For(count, (double)count * each * Rows.Length, Grain, (start, end) =>
            product.Run(x + (start * each), y + (start * each), (int)(end - start)));
    }

    /// <summary>From the value, x and the gradients of x, lu, s and b; the last two null if there are none.</summary>
    internal unsafe (Tensor X, Tensor Gradient, Tensor Lu, Tensor? Scale, Tensor? Shift) StepBack(Tensor value, Tensor lu, Tensor? scale,
        Tensor? shift, Tensor gradient, Tensor logDetGradient)
    {
        var size = value.Sizes();
        Tensor x = Floats(size), ofX = Floats(size), dlu = Floats(lu.Sizes());
        var (ds, db) = (scale is null ? null : Floats(scale.Sizes()), shift is null ? null : Floats(shift.Sizes()));
        Tensor from = value.contiguous(), slope = gradient.contiguous();
        var ofLogDet = Of(logDetGradient);
        StepBack(checked((int)size[0]), checked((int)(value.numel() / (size[0] * size[1]))), At(x), At(from),
            new(At(lu), KernelMemory.Floats(scale), KernelMemory.Floats(shift)), At(slope), ofLogDet, At(ofX),
            new(At(dlu), KernelMemory.Floats(ds), KernelMemory.Floats(db)));
        GC.KeepAlive(from);
        GC.KeepAlive(slope);
        return (x, ofX, dlu, ds, db);
    }

    /// <summary>Writes the gradients.</summary>
    /// <param name="count">N.</param>
    /// <param name="pixels">H·W.</param>
    /// <param name="x">(N, C, H·W).</param>
    /// <param name="weights">The weights.</param>
    /// <param name="inverse">The direction.</param>
    /// <param name="gradient">The gradient of the value.</param>
    /// <param name="ofLogDet">The sum of the gradients of the log-determinants.</param>
    /// <param name="ofX">Gets the gradient of x, unless it is null.</param>
    /// <param name="results">Get the gradients of the weights, but for those that are null.</param>
    public unsafe void Backward(int count, int pixels, float* x, in LinearWeights weights, bool inverse, float* gradient, double ofLogDet,
        float* ofX, in LinearWeights results)
    {
        using var matrix = new LuMatrix(new(weights.Lu, Rows.Length * Rows.Length), Rows, Sign);
        using var product = Product(matrix, weights, pixels, inverse);
        using var turned = product.Turned();
        var part = new Examples { Count = count, Pixels = pixels, X = x, Gradient = gradient, OfX = ofX };
        Run(matrix, part, null, product, turned, weights, pixels * ofLogDet, inverse, results);
    }

    private unsafe void StepBack(int count, int pixels, float* x, float* value, in LinearWeights weights, float* gradient, double ofLogDet,
        float* ofX, in LinearWeights results)
    {
        using var matrix = new LuMatrix(new(weights.Lu, Rows.Length * Rows.Length), Rows, Sign);
        using var undo = Product(matrix, weights, pixels, inverse: true);
        using var product = Product(matrix, weights, pixels, inverse: false);
        using var turned = product.Turned();
        var part = new Examples { Count = count, Pixels = pixels, X = x, Value = value, Gradient = gradient, OfX = ofX };
        Run(matrix, part, undo, product, turned, weights, pixels * ofLogDet, inverse: false, results);
    }

    // where all of it is, (N, C, H·W); x is computed if there is the value that it was mapped to
    private unsafe struct Examples
    {
        public int Count, Pixels;
        public float* X, Value, Gradient, OfX;
    }

    private unsafe void Run(LuMatrix matrix, Examples at, LinearProduct? undo, LinearProduct map, LinearProduct turned,
        in LinearWeights weights, double logDet, bool inverse, in LinearWeights results)
    {
        var channels = Rows.Length;
        var each = (long)channels * at.Pixels;
        var ofWeights = results.Lu != null || results.Scale != null || results.Shift != null;
        // parts of a fixed size, so that the sums do not depend on the number of threads
        var most = Math.Clamp((at.Count + 3) / 4, 1, at.Pixels == 1 ? MostVectors : MostImages);
        var (parts, width) = ((at.Count + most - 1) / most, LinearProduct.Width(channels, at.Pixels));
        var length = checked(parts * channels * width);
        var sums = ArrayPool<float>.Shared.Rent(length);
        sums.AsSpan(0, length).Clear();
        KernelThreads.For(parts, (double)at.Count * each * channels, Grain, (start, end) =>
        {
            fixed (float* all = sums)
            {
                for (var part = start; part < end; part++)
                {
                    var first = part * most;
                    var count = (int)Math.Min(most, at.Count - first);
                    float* x = at.X + (first * each), g = at.Gradient + (first * each);
                    undo?.Run(at.Value + (first * each), x, count);
                    if (at.OfX != null) turned.Run(g, at.OfX + (first * each), count);
                    if (ofWeights) map.AddGradient(x, g, count, all + (part * channels * width));
                }
            }
        });
        if (ofWeights && inverse) InverseSums(matrix, weights, sums, parts, width, logDet, results);
        else if (ofWeights) Sums(matrix, map, weights, sums, parts, width, logDet, results);
        ArrayPool<float>.Shared.Return(sums);
    }

    // from Σ g·(x + a)ᵀ and Σ g, with a that is nearly b ⊙ exp(−s): with u = x ⊙ exp(s) + b, ∂W = Σ g·uᵀ
    private unsafe void Sums(LuMatrix matrix, LinearProduct map, in LinearWeights weights, float[] sums, int parts, int width,
        double logDet, in LinearWeights results)
    {
        var channels = Rows.Length;
        var rented = ArrayPool<double>.Shared.Rent(channels * channels);
        var product = rented.AsSpan(0, channels * channels);
        var isScaled = weights.Scale != null;
        var w = isScaled ? matrix.Product() : [];
        Span<double> along = stackalloc double[channels], down = stackalloc double[channels], s = stackalloc double[channels],
            rest = stackalloc double[channels];
        Exp(weights.Scale, 1, s);
        Rest(weights, s, map, rest);
        along.Clear();
        down.Clear();
        for (var i = 0; i < channels; i++)
        {
            var total = Add(sums, parts, width, i, channels);
            for (var j = 0; j < channels; j++)
            {
                var at = (i * channels) + j;
                product[at] = (s[j] * Add(sums, parts, width, i, j)) + (total * rest[j]);
                // of s: what W has before it without the shift
                if (isScaled) (along[j], down[j]) = (along[j] + (product[at] * w[at]), down[j] + (total * w[at]));
            }
        }
        if (results.Lu != null) matrix.Gradient(product, logDet, new(results.Lu, channels * channels));
        ArrayPool<double>.Shared.Return(rented);
        for (var j = 0; j < channels; j++)
        {
            if (results.Scale != null) results.Scale[j] = (float)(along[j] - (down[j] * weights.Shift[j]) + logDet);
            if (results.Shift != null) results.Shift[j] = (float)down[j];
        }
    }

    // from Σ g·zᵀ and Σ g of the gradient g of x = (W⁻¹·z − b) ⊙ exp(−s):
    // with h = g ⊙ exp(−s), ∂(W⁻¹) = Σ h·zᵀ and ∂b = −Σ h
    private unsafe void InverseSums(LuMatrix matrix, in LinearWeights weights, float[] sums, int parts, int width, double logDet,
        in LinearWeights results)
    {
        var channels = Rows.Length;
        var rented = ArrayPool<double>.Shared.Rent(channels * channels);
        var ofInverse = rented.AsSpan(0, channels * channels);
        Span<double> s = stackalloc double[channels];
        Exp(weights.Scale, -1, s);
        var w = weights.Scale == null ? [] : matrix.Inverse();
        for (var i = 0; i < channels; i++)
        {
            double down = s[i] * Add(sums, parts, width, i, channels), along = 0;
            for (var j = 0; j < channels; j++)
            {
                var at = (i * channels) + j;
                ofInverse[at] = s[i] * Add(sums, parts, width, i, j);
                if (weights.Scale != null) along += w[at] * ofInverse[at];
            }
            if (results.Scale != null) results.Scale[i] = (float)((weights.Shift[i] * down) - along - logDet);
            if (results.Shift != null) results.Shift[i] = (float)-down;
        }
        if (results.Lu != null) matrix.InverseGradient(ofInverse, -logDet, new(results.Lu, channels * channels));
        ArrayPool<double>.Shared.Return(rented);
    }

    private double Add(float[] sums, int parts, int width, int row, int column)
    {
        double sum = 0;
        for (var part = 0; part < parts; part++) sum += sums[(((part * Rows.Length) + row) * width) + column];
        return sum;
    }

    // all of the map: forward (W·diag(exp s))·(x + a) + W·(b − a ⊙ exp(s)), with a that is b ⊙ exp(−s) in float32
    private unsafe LinearProduct Product(LuMatrix matrix, in LinearWeights weights, int pixels, bool inverse)
    {
        var channels = Rows.Length;
        var hasBefore = weights.Scale != null && !inverse;
        var product = new LinearProduct(channels, pixels, hasBefore);
        Span<double> s = stackalloc double[channels], rest = stackalloc double[channels];
        Exp(weights.Scale, inverse ? -1 : 1, s);
        rest.Clear();
        for (var j = 0; j < channels && hasBefore; j++)
        {
            var before = (float)(weights.Shift[j] / s[j]);
            product.Before[j] = Math.Abs(before) <= MostBefore ? before : 0;
        }
        if (hasBefore) Rest(weights, s, product, rest);
        var w = inverse ? matrix.Inverse() : matrix.Product();
        for (var i = 0; i < channels; i++)
        {
            double sum = 0;
            for (var j = 0; j < channels; j++)
            {
                product[i, j] = (float)(w[(i * channels) + j] * s[inverse ? i : j]);
                sum += w[(i * channels) + j] * rest[j];
            }
            product.Added[i] = (float)(inverse && weights.Scale != null ? -s[i] * weights.Shift[i] : sum);
        }
        return product;
    }

    // what of b is not added before the product
    private static unsafe void Rest(in LinearWeights weights, ReadOnlySpan<double> s, LinearProduct map, Span<double> rest)
    {
        for (var j = 0; j < rest.Length; j++) rest[j] = weights.Shift == null ? 0 : weights.Shift[j] - (s[j] * map.Before[j]);
    }

    private static unsafe void Exp(float* scale, double sign, Span<double> result)
    {
        result.Fill(1);
        if (scale == null) return;
        for (var i = 0; i < result.Length; i++) result[i] = Math.Exp(sign * scale[i]);
    }

    private unsafe double Sum(float* scale)
    {
        double sum = 0;
        for (var i = 0; i < Rows.Length && scale != null; i++) sum += scale[i];
        return sum;
    }

    private static unsafe double Of(Tensor logDetGradient)
    {
        double sum = 0;
        var from = At(logDetGradient);
        var step = logDetGradient.stride(0);
        for (long n = 0, count = logDetGradient.size(0); n < count; n++) sum += from[n * step];
        return sum;
    }

    private static Tensor Floats(long[] size) => empty(size, dtype: ScalarType.Float32, device: CPU);

    private static bool CanRun(Tensor x) => x.dim() == 2
        ? KernelSwitches.Dense && LaneWidth.ServesProducts && DenseNetwork.IsMatrix(x, x.size(1)) : ChannelsLast.CanRun(x);

    private static unsafe float* At(Tensor t) => KernelMemory.Pointer<float>(t);
}
