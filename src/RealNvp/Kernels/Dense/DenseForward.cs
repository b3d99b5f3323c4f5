
namespace RealNvp.Kernels;

/// <summary>A network from its input to its output, a block of rows after the other.</summary>
internal static unsafe class DenseForward
{
    /// <summary>The elements of what <see cref="Run"/> writes down for the
    /// gradients of so many rows: relu of each result but the last.</summary>
    public static long TapeSize(DenseProgram program, long rows) => TapeAt(program, rows, program.Layers.Count - 1);

    /// <summary>Where the activations of a layer begin on the tape of so many rows.</summary>
    public static long TapeAt(DenseProgram program, long rows, int layer) => DenseTape.Start(program, rows, layer);

    /// <summary>Runs the network.</summary>
    /// <param name="call">The network and its input.</param>
    /// <param name="tape">Gets what the gradients need; null if none is wanted.</param>
    /// <param name="output">(rows, outputs), contiguous.</param>
    public static void Run(DenseCall call, float* tape, float* output)
    {
        call.PackForward();
        KernelThreads.For(call.Rows, (double)call.Rows * call.Program.Weights, DenseCall.Grain, (start, end) =>
        {
            if (LaneWidth.Floats == 16) Rows<Lanes512<float>>(call, tape, output, (int)start, (int)end);
            else Rows<Lanes256<float>>(call, tape, output, (int)start, (int)end);
        });
    }

    private static void Rows<TLanes>(DenseCall call, float* tape, float* output, int start, int end)
        where TLanes : struct, ILanes<TLanes, float>
    {
        var outputs = call.Program.Outputs;
        var scratch = KernelScratch.Own(DenseBlock.ScratchSize(call.Program) + ((long)DenseCall.Block * DenseProduct.Stride(outputs)));
        var last = scratch + DenseBlock.ScratchSize(call.Program);
        var most = DenseCall.BlockOf(end - start);
        for (var row = start; row < end; row += most)
        {
            var rows = Math.Min(most, end - row);
            DenseBlock.Run<TLanes>(call.Program, call.Packed, call.X + (row * call.XStride), call.XStride, call.ContextAt(row),
                call.ContextStride,
                rows, new(tape, call.Rows, row), scratch, last);
            DenseBlock.Copy(last, DenseProduct.Stride(outputs), output + ((nint)row * outputs), outputs, rows, outputs);
        }
    }
}
