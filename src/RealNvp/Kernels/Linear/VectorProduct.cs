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

    /// <summary>y = M·x + c for each row.</summary>
    /// <param name="turned">Mᵀ, rows of <see cref="Stride"/>.</param>
    /// <param name="shift">c, with as many numbers as such a row.</param>
    /// <param name="x">The rows, side by side.</param>
    /// <param name="y">Gets the results, side by side.</param>
    /// <param name="features">C.</param>
    /// <param name="rows">The rows.</param>
    public static void Run(float* turned, float* shift, float* x, float* y, int features, int rows) =>
        LaneWidth.Run<Product, float>(new Product(turned, shift, x, y, features, rows));

    /// <summary>Adds Σ g·xᵀ over the rows to rows of <see cref="Width"/>, and behind the C of each row Σ g.</summary>
    public static void AddGradient(float* x, float* g, int features, int rows, float* sums) =>
        LaneWidth.Run<Gradient, float>(new Gradient(x, g, features, rows, sums));

    private readonly struct Product(float* turned, float* shift, float* x, float* y, int features, int rows) : ILaneCode<float>
    {
        public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, float>
        {
            var stride = Stride(features);
            var results = KernelScratch.Own(Block * stride);
            var finish = new DenseFinish<float> { Bias = shift, Result = results, Stride = stride };
            float* from = x, to = y;
            for (var left = rows; left > 0; left -= Block)
            {
                var count = Math.Min(left, Block);
                DenseProduct.Multiply<TLanes, float>(from, features, 1, turned, stride, count, features, features, finish);
                for (var row = 0; row < count; row++, to += features)
                    new ReadOnlySpan<float>(results + (row * stride), features).CopyTo(new(to, features));
                from += count * features;
            }
        }
    }

    private readonly struct Gradient(float* x, float* g, int features, int rows, float* sums) : ILaneCode<float>
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
                for (var row = 0; row < count; row++, from += features)
                    new ReadOnlySpan<float>(from, features).CopyTo(new(inputs + (row * width), features));
                DenseProduct.Multiply<TLanes, float>(slope, 1, features, inputs, width, features, features + 1, count, finish);
                slope += count * features;
            }
        }
    }
}
