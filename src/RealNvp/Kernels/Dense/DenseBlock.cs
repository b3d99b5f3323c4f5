namespace RealNvp.Kernels;

/// <summary>A block of rows through all layers of a network whose weights are packed.</summary>
internal static unsafe class DenseBlock
{
    /// <summary>Rows that go through all layers before the next ones: their activations
    /// stay in the second-level cache. A multiple of the rows of a tile.</summary>
    public const int Rows = 96;

    /// <summary>Elements of memory that <see cref="Run"/> needs.</summary>
    public static long ScratchSize(DenseProgram program) => 3L * Rows * DenseProduct.Stride(program.Widest);

    /// <summary>Runs at most <see cref="Rows"/> rows through all layers.</summary>
    /// <param name="program">The network.</param>
    /// <param name="packed">Its weights.</param>
    /// <param name="x">The input of the first of the rows.</param>
    /// <param name="xStride">From one row of it to the next.</param>
    /// <param name="context">The context of the first of the rows, or null.</param>
    /// <param name="contextStride">From one row of it to the next.</param>
    /// <param name="rows">Their number.</param>
    /// <param name="tape">Where activations are written down, if they are.</param>
    /// <param name="scratch">Memory.</param>
    /// <param name="last">Gets the output of these rows: a matrix of our own.</param>
    public static void Run<TLanes>(DenseProgram program, in DensePacked packed, float* x, nint xStride, float* context,
        nint contextStride, int rows, DenseTape tape, float* scratch, float* last)
        where TLanes : struct, ILanes<TLanes, float>
    {
        var size = (long)Rows * DenseProduct.Stride(program.Widest);
        // results that are added later, and activations by turns
        var sum = scratch;
        for (var i = 0; i < program.Layers.Count; i++)
        {
            var layer = program.Layers[i];
            var finish = new DenseFinish<float> { Bias = packed.Bias(i), Stride = DenseProduct.Stride(layer.Outputs) };
            if (i == 0 && context != null)
            {
                var given = new DenseFinish<float> { Result = sum, Stride = finish.Stride };
                packed.MultiplyContext<TLanes>(program, context, contextStride, rows, given);
                finish.Addend = sum;
            }
            if (layer.AddsSkip) finish.Addend = sum;
            if (i == program.Layers.Count - 1) finish.Result = last;
            else
            {
                if (program.IsAddedLater(i)) finish.Result = sum;
                finish.Relu = tape.IsWritten ? tape.At(program, i, finish.Stride) : scratch + ((1 + (i % 2)) * size);
            }
            packed.Multiply<TLanes>(program, i, x, xStride, rows, finish);
            x = finish.Relu;
            xStride = finish.Stride;
        }
    }

    /// <summary>Copies rows between matrices of different strides.</summary>
    public static void Copy(float* from, nint fromStride, float* to, nint toStride, int rows, int columns)
    {
        for (var row = 0; row < rows; row++)
            new ReadOnlySpan<float>(from + (row * fromStride), columns).CopyTo(new Span<float>(to + (row * toStride), columns));
    }

    /// <summary>Clears what is beyond the columns of a matrix of our own that will be the right side of a product.</summary>
    /// <remarks>A tile multiplies whole vectors. What it makes of the rest means nothing, but if there are numbers below the smallest
    /// normal one, as integers of other work look, a multiply-add takes a hundred times as long.</remarks>
    public static void ClearRest<T>(T* matrix, nint stride, int rows, int columns) where T : unmanaged
    {
        var rest = (int)Math.Min(stride - columns, ((columns + 15) / 16 * 16) - columns);
        for (var row = 0; row < rows && rest > 0; row++) new Span<T>(matrix + (row * stride) + columns, rest).Clear();
    }
}
