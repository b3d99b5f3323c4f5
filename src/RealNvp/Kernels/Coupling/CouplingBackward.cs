namespace RealNvp.Kernels;

/// <summary>The gradients of a fused layer, a block of rows after the other.</summary>
internal static unsafe class CouplingBackward
{
    /// <param name="call">The layer and its input.</param>
    /// <param name="tape">What <see cref="CouplingForward"/> wrote down.</param>
    /// <param name="ofValue">The gradient of the value, (N, D), contiguous.</param>
    /// <param name="ofLogDet">The gradient of the log-determinant.</param>
    /// <param name="ofLogDetStep">From one of those to the next.</param>
    /// <param name="to">Gets the gradients; that of the input is (N, D), contiguous.</param>
    public static void Run(CouplingCall call, float* tape, float* ofValue, float* ofLogDet, nint ofLogDetStep, DenseGradients to) =>
        DenseBackward.Run(call.Net, to, (layout, sums, start, end) =>
    {
        var given = new CouplingBlock { OfValue = ofValue, OfLogDet = ofLogDet, OfLogDetRow = ofLogDetStep };
        if (LaneWidth.Floats == 16) Rows<Lanes512<float>>(call, tape, given, to, layout, (float*)sums, start, end);
        else Rows<Lanes256<float>>(call, tape, given, to, layout, (float*)sums, start, end);
    });

    private static void Rows<TLanes>(CouplingCall call, float* tape, CouplingBlock given, DenseGradients to, DenseSums layout, float* sums,
        int start, int end)
        where TLanes : struct, ILanes<TLanes, float>
    {
        var (net, shape, program) = (call.Net, call.Shape, call.Net.Program);
        var (columns, features, inputs) = (shape.Columns, shape.Features, DenseProduct.Stride(program.Inputs));
        var (outputs, width) = (DenseProduct.Stride(program.Outputs), DenseProduct.Stride(columns));
        var (size, part) = (DenseBackward.BufferSize(program), (long)DenseCall.Block * width);
        var limit = shape.Limit;
        var scratch = KernelScratch.Own((3 * size) + (4 * part) + ((long)DenseCall.Block * inputs));
        float* read = scratch + (2 * size), changed = scratch + (3 * size), derivatives = changed + (4 * part);
        var block = new CouplingBlock
        {
            Columns = columns, Input = changed, RawRow = outputs, OfValue = changed + part, OfLogDetRow = given.OfLogDetRow,
            OfInput = changed + (2 * part), OfRaw = scratch, OfWeight = changed + (3 * part),
        };
        var most = DenseCall.BlockOf(end - start);
        for (var row = start; row < end; row += most)
        {
            var x = net.X + (row * net.XStride);
            var gradient = given.OfValue + ((nint)row * features);
            block.Rows = Math.Min(most, end - row);
            block.Raw = tape + DenseForward.TapeAt(program, net.Rows, program.Layers.Count - 1) + ((nint)row * outputs);
            block.OfLogDet = given.OfLogDet + (row * given.OfLogDetRow);
            CouplingShape.Gather(x, net.XStride, shape.ChangedAt, changed, columns, block.Rows);
            CouplingShape.Gather(gradient, features, shape.ChangedAt, block.OfValue, columns, block.Rows);
            call.Gradients(block);
            if (to.After != null) AddWeight(block, sums + layout.After, row > start);
            CouplingShape.Gather(x, net.XStride, shape.ReadAt, read, inputs, block.Rows);
            if (limit > 0) InputLimit.Apply(read, derivatives, block.Rows * inputs, limit);
            var ofRead = DenseBackward.Block<TLanes>(net, tape, to, layout, sums, row > start, row, block.Rows, scratch, scratch + size,
                read, to.X != null);
            if (to.X != null) Write(shape, gradient, block, ofRead, limit > 0 ? derivatives : null, inputs, to.X + ((nint)row * features));
        }
    }

    private static void AddWeight(in CouplingBlock block, float* sum, bool add)
    {
        for (var i = 0; i < block.Columns; i++)
        {
            double column = add ? sum[i] : 0;
            for (var row = 0; row < block.Rows; row++) column += block.OfWeight[((nint)row * block.Columns) + i];
            sum[i] = (float)column;
        }
    }

    private static void Write(CouplingShape shape, float* gradient, in CouplingBlock block, float* ofRead, float* derivatives, nint stride,
        float* to)
    {
        var (features, readAt, changedAt) = (shape.Features, shape.ReadAt, shape.ChangedAt);
        var ofInput = block.OfInput;
        for (var row = 0; row < block.Rows; row++, gradient += features, to += features, ofRead += stride)
        {
            if (changedAt.Length < features) new ReadOnlySpan<float>(gradient, features).CopyTo(new Span<float>(to, features));
            for (var i = 0; i < changedAt.Length; i++) to[changedAt[i]] = *ofInput++;
            if (derivatives == null)
            {
                for (var i = 0; i < readAt.Length; i++) to[readAt[i]] += ofRead[i];
                continue;
            }
            for (var i = 0; i < readAt.Length; i++) to[readAt[i]] += ofRead[i] * derivatives[i];
            derivatives += stride;
        }
    }
}
