
namespace RealNvp.Kernels;

/// <summary>A network from its input to its output, a block of rows after the other.</summary>
internal static unsafe class DenseForward
{
    /// <summary>The elements of what <see cref="Run"/> writes down for the
    /// gradients of so many rows: relu of each result but the last.</summary>
    public static long TapeSize(DenseProgram program, long rows) => rows * TapeWidth(program, program.Layers.Count - 1);

    /// <summary>Where the activations of a layer begin on the tape of so many rows.</summary>
    public static long TapeAt(DenseProgram program, long rows, int layer) => rows * TapeWidth(program, layer);

    /// <summary>Runs the network.</summary>
    /// <param name="call">The network and its input.</param>
    /// <param name="tape">Gets what the gradients need; null if none is wanted.</param>
    /// <param name="output">(rows, outputs), contiguous.</param>
    public static void Run(DenseCall call, float* tape, float* output)
    {
        call.PackForward(KernelScratch.Shared(call.PackedSize()));
        KernelThreads.For(call.Rows, (double)call.Rows * call.Program.Weights, DenseCall.Grain, (start, end) =>
        {
            if (LaneWidth.Floats == 16) Rows<Lanes512<float>>(call, tape, output, (int)start, (int)end);
            else Rows<Lanes256<float>>(call, tape, output, (int)start, (int)end);
        });
    }

    private static long TapeWidth(DenseProgram program, int layers)
    {
        var width = 0L;
        for (var i = 0; i < layers; i++) width += DenseProduct.Stride(program.Layers[i].Outputs);
        return width;
    }

    private static void Rows<TLanes>(DenseCall call, float* tape, float* output, int start, int end)
        where TLanes : struct, ILanes<TLanes, float>
    {
        var outputs = call.Program.Outputs;
        var scratch = KernelScratch.Own(ScratchSize(call.Program) + ((long)DenseCall.Block * DenseProduct.Stride(outputs)));
        var last = scratch + ScratchSize(call.Program);
        var most = DenseCall.BlockOf(end - start);
        for (var row = start; row < end; row += most)
        {
            var rows = Math.Min(most, end - row);
            Block<TLanes>(call, call.X + (row * call.XStride), call.XStride, row, rows, tape, scratch, last);
            Copy(last, DenseProduct.Stride(outputs), output + ((nint)row * outputs), outputs, rows, outputs);
        }
    }

    /// <summary>Elements of memory that <see cref="Block"/> needs.</summary>
    public static long ScratchSize(DenseProgram program) => 3L * DenseCall.Block * DenseProduct.Stride(program.Widest);

    /// <summary>Runs at most <see cref="DenseCall.Block"/> rows through all layers.</summary>
    /// <param name="call">The network; its context is read at these rows.</param>
    /// <param name="x">The input of the first of them.</param>
    /// <param name="xStride">From one row of it to the next.</param>
    /// <param name="row">The first row.</param>
    /// <param name="rows">Their number.</param>
    /// <param name="tape">The tape of all rows, or null.</param>
    /// <param name="scratch">Memory.</param>
    /// <param name="last">Gets the output of these rows: a matrix of our own.</param>
    public static void Block<TLanes>(DenseCall call, float* x, nint xStride, int row, int rows, float* tape, float* scratch, float* last)
        where TLanes : struct, ILanes<TLanes, float>
    {
        var program = call.Program;
        var size = (long)DenseCall.Block * DenseProduct.Stride(program.Widest);
        // results that are added later, and activations by turns
        var sum = scratch;
        for (var i = 0; i < program.Layers.Count; i++)
        {
            var layer = program.Layers[i];
            var finish = new DenseFinish<float> { Bias = call.Bias(i), Stride = DenseProduct.Stride(layer.Outputs) };
            if (i == 0 && call.Context != null)
            {
                var given = new DenseFinish<float> { Result = sum, Stride = finish.Stride };
                DenseProduct.Multiply<TLanes, float>(call.Context + (row * call.ContextStride), call.ContextStride, 1, call.ContextPanels,
                    0, rows,
                    layer.Outputs, program.Context, given);
                finish.Addend = sum;
            }
            if (layer.AddsSkip) finish.Addend = sum;
            if (i == program.Layers.Count - 1) finish.Result = last;
            else
            {
                if (program.IsAddedLater(i)) finish.Result = sum;
                finish.Relu = tape == null ? scratch + ((1 + (i % 2)) * size)
                    : tape + TapeAt(program, call.Rows, i) + (row * finish.Stride);
            }
            DenseProduct.Multiply<TLanes, float>(x, xStride, 1, call.Panels(i), 0, rows, layer.Outputs, layer.Inputs, finish,
                program.Bands?[i].InputsOf);
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
}
