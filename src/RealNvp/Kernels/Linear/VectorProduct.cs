namespace RealNvp.Kernels;

/// <summary>A small matrix (C, C) times rows of C numbers; and its gradient.</summary>
internal static unsafe class VectorProduct
{
    // rows that are copied at a time; with 128 features they leave the first-level cache to the matrix
    private const int Block = 64;

    /// <summary>From one row of a matrix on the right side to the next.</summary>
    public static int Stride(int features) => DenseProduct.Stride(features);

    /// <summary>The numbers of a row of a gradient: C, a sum, and what fills the last vector up.</summary>
    public static int Width(int features) => DenseProduct.Stride(features + 1);

    /// <summary>y = M·(x + b) + c for each row.</summary>
    /// <param name="turned">Mᵀ, rows of <see cref="Stride"/>.</param>
    /// <param name="before">b, or null.</param>
    /// <param name="added">c, with as many numbers as such a row.</param>
    /// <param name="x">The rows, side by side.</param>
    /// <param name="y">Gets the results, side by side.</param>
    /// <param name="features">C.</param>
    /// <param name="rows">The rows.</param>
    public static void Run(float* turned, float* before, float* added, float* x, float* y, int features, int rows) =>
        LaneWidth.Run<Product, float>(new Product(turned, before, added, x, y, features, rows));

    /// <summary>Adds Σ g·(x + b)ᵀ over the rows to rows of <see cref="Width"/>, and behind the C of each row Σ g; b may be null.</summary>
    public static void AddGradient(float* x, float* before, float* g, int features, int rows, float* sums) =>
        LaneWidth.Run<Gradient, float>(new Gradient(x, before, g, features, rows, sums));

    // rows of features, and with what is added to them if there is anything, to rows of another width
    private static void Copy(float* from, float* before, int features, int rows, float* to, int width)
    {
        for (var row = 0; row < rows; row++, from += features, to += width)
            if (before == null) new ReadOnlySpan<float>(from, features).CopyTo(new(to, features));
            else
                for (var i = 0; i < features; i++) to[i] = from[i] + before[i];
    }

    private readonly struct Product(float* turned, float* before, float* added, float* x, float* y, int features, int rows)
        : ILaneCode<float>
    {
        public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, float>
        {
            var stride = Stride(features);
            float* results = KernelScratch.Own(2 * Block * stride), inputs = results + (Block * stride);
            var finish = new DenseFinish<float> { Bias = added, Result = results, Stride = stride };
            float* from = x, to = y;
            for (var left = rows; left > 0; left -= Block)
            {
                var count = Math.Min(left, Block);
                if (before != null) Copy(from, before, features, count, inputs, features);
                DenseProduct.Multiply<TLanes, float>(before == null ? from : inputs, features, 1, turned, stride, count, features, features,
                    finish);
                for (var row = 0; row < count; row++, to += features)
                    new ReadOnlySpan<float>(results + (row * stride), features).CopyTo(new(to, features));
                from += count * features;
            }
        }
    }

    private readonly struct Gradient(float* x, float* before, float* g, int features, int rows, float* sums) : ILaneCode<float>
    {
        public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, float>
        {
            var width = Width(features);
            var inputs = KernelScratch.Own(Block * width);
            // a feature of ones gives the sums
            new Span<float>(inputs, Block * width).Clear();
            for (var row = 0; row < Block; row++) inputs[(row * width) + features] = 1;
            var finish = new DenseFinish<float> { Addend = sums, Result = sums, Stride = width };
            float* from = x, slope = g;
            for (var left = rows; left > 0; left -= Block)
            {
                var count = Math.Min(left, Block);
                Copy(from, before, features, count, inputs, width);
                DenseProduct.Multiply<TLanes, float>(slope, 1, features, inputs, width, features, features + 1, count, finish);
                from += count * features;
                slope += count * features;
            }
        }
    }
}
