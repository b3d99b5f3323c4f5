namespace RealNvp.Kernels;

/// <summary>A fused layer, a block of rows after the other: what the network reads, the network, the map and the log-determinant.</summary>
internal static unsafe class CouplingForward
{
    /// <summary>The elements of what the gradients need of so many rows: the
    /// activations of the network and the parameters that it gave.</summary>
    public static long TapeSize(DenseProgram program, long rows) => DenseForward.TapeAt(program, rows, program.Layers.Count);

    /// <summary>Runs the layer.</summary>
    /// <param name="call">The layer and its input.</param>
    /// <param name="tape">Gets what the gradients need; null if none is wanted.</param>
    /// <param name="value">Gets the value (N, D).</param>
    /// <param name="logDet">Gets the log-determinant (N).</param>
    /// <param name="adds">Whether it is added to what is there.</param>
    public static void Run(CouplingCall call, float* tape, float* value, float* logDet, bool adds = false)
    {
        var net = call.Net;
        net.PackForward();
        KernelThreads.For(net.Rows, call.Work, DenseCall.Grain, (start, end) =>
        {
            if (LaneWidth.Floats == 16) Rows<Lanes512<float>>(call, tape, value, logDet, adds, (int)start, (int)end);
            else Rows<Lanes256<float>>(call, tape, value, logDet, adds, (int)start, (int)end);
        });
    }

    private static void Rows<TLanes>(CouplingCall call, float* tape, float* y, float* logDet, bool adds, int start,
        int end)
        where TLanes : struct, ILanes<TLanes, float>
    {
        var (net, shape, program) = (call.Net, call.Shape, call.Net.Program);
        var (columns, features, inputs) = (shape.Columns, shape.Features, DenseProduct.Stride(program.Inputs));
        var (outputs, part) = (DenseProduct.Stride(program.Outputs), (long)DenseCall.Block * DenseProduct.Stride(columns));
        var scratch = KernelScratch.Own(DenseBlock.ScratchSize(program) + ((long)DenseCall.Block * (inputs + outputs)) + (3 * part));
        var read = scratch + DenseBlock.ScratchSize(program);
        var last = read + ((long)DenseCall.Block * inputs);
        var changed = last + ((long)DenseCall.Block * outputs);
        var block = new CouplingBlock { Columns = columns, Input = changed, RawRow = outputs, Value = changed + part,
            LogDerivative = changed + (2 * part) };
        var limit = shape.Limit;
        var own = shape.ReadRun < 0 || limit > 0;
        // what lies between rows goes through the limit with them
        if (limit > 0) new Span<float>(read, DenseCall.Block * inputs).Clear();
        var most = DenseCall.BlockOf(end - start);
        for (var row = start; row < end; row += most)
        {
            var x = net.X + (row * net.XStride);
            block.Rows = Math.Min(most, end - row);
            block.Raw = tape == null ? last
                : tape + DenseForward.TapeAt(program, net.Rows, program.Layers.Count - 1) + ((nint)row * outputs);
            if (own) CouplingShape.Gather(x, net.XStride, shape.ReadAt, read, inputs, block.Rows);
            if (limit > 0) InputLimit.Apply(read, block.Rows * inputs, limit);
            DenseBlock.Run<TLanes>(program, net.Packed, own ? read : x + shape.ReadRun, own ? inputs : net.XStride, net.ContextAt(row),
                net.ContextStride, block.Rows, new(tape, net.Rows, row), scratch, block.Raw);
            CouplingShape.Gather(x, net.XStride, shape.ChangedAt, changed, columns, block.Rows);
            call.Map(block, recorded: tape != null);
            Write(shape.ChangedAt, x, net.XStride, block, y + ((nint)row * features), features, logDet + row, adds);
        }
    }

    private static void Write(int[] at, float* x, nint stride, in CouplingBlock block, float* y, int features, float* logDet,
        bool adds)
    {
        float* value = block.Value, logDerivative = block.LogDerivative;
        for (var row = 0; row < block.Rows; row++, x += stride, y += features)
        {
            if (at.Length < features) new ReadOnlySpan<float>(x, features).CopyTo(new Span<float>(y, features));
            for (var i = 0; i < at.Length; i++) y[at[i]] = *value++;
            // two chains of additions: one after the other would take longer than all else here
            double even = 0, odd = 0;
            for (var i = 0; i < at.Length - 1; i += 2)
            {
                even += logDerivative[i];
                odd += logDerivative[i + 1];
            }
            if (at.Length % 2 != 0) even += logDerivative[at.Length - 1];
            logDerivative += at.Length;
            logDet[row] = (float)(even + odd) + (adds ? logDet[row] : 0);
        }
    }
}
