namespace RealNvp.Kernels;

/// <summary>What the gradients of a sequence start from.</summary>
internal unsafe struct SequenceSlopes
{
    /// <summary>What the sequence gave, (N, D), contiguous.</summary>
    public float* Value;

    /// <summary>The gradient of that.</summary>
    public float* OfValue;

    /// <summary>The gradient of the log-determinant, and from one row to the next.</summary>
    public float* OfLogDet;

    public nint OfLogDetRow;
}

/// <summary>The gradients of a sequence: its steps from the last to the first. A triangular system is solved on the way: each hidden
/// unit's gradient is computed once, when those of all features that it has a part in are known.</summary>
internal static unsafe class SequenceBackward
{
    /// <summary>Writes all gradients; that of the input is (N, D), and that of the maps' weight is
    /// <see cref="DenseGradients.After"/>.</summary>
    /// <param name="call">The sequence and what was mapped.</param>
    /// <param name="tape">What <see cref="SequenceForward"/> wrote down.</param>
    /// <param name="slopes">What the gradients start from.</param>
    /// <param name="to">Gets the gradients.</param>
    public static void Run(SequenceCall call, float* tape, SequenceSlopes slopes, DenseGradients to)
    {
        var shares = DenseBackward.Shares(call.Net.Rows);
        var layout = new DenseSums(call.Shape.Program, to);
        var packed = call.Shape.Backward.Count;
        var memory = KernelScratch.Shared(packed + (shares * layout.Size));
        var sums = memory + packed;
        var weights = SequenceWeights.Backward(call, memory);
        KernelThreads.For(shares, call.Net.Rows * (call.Shape.Work + (0.5 * call.Shape.Program.Weights)), DenseCall.Grain, (start, end) =>
        {
            for (var i = start; i < end; i++)
            {
                var share = new Share { Call = call, Weights = weights, Slopes = slopes, Tape = tape, To = to, Layout = layout,
                    Sums = sums + (i * layout.Size), Start = (int)(call.Net.Rows * i / shares),
                    End = (int)(call.Net.Rows * (i + 1) / shares) };
                if (LaneWidth.Floats == 16) share.Run<Lanes512<float>>();
                else share.Run<Lanes256<float>>();
            }
        });
        layout.Add(call.Net, sums, shares);
    }

    private struct Share
    {
        public SequenceCall Call;
        public SequenceWeights Weights;
        public SequenceSlopes Slopes;
        public DenseGradients To;
        public DenseSums Layout;
        public float* Tape, Sums;
        public int Start, End;

        public readonly void Run<TLanes>() where TLanes : struct, ILanes<TLanes, float>
        {
            var shape = Call.Shape;
            var (hidden, outputs) = ((long)DenseCall.Block * shape.UnitStride, (long)DenseCall.Block * shape.RawStride);
            // gradients of the results of hidden layers, of parameters in two orders; a part of a group; columns
            var columns = (5L + (2 * shape.Parameters)) * DenseCall.Block;
            var scratch = KernelScratch.Own(((shape.Layers + 1L) * hidden) + (2 * outputs) + columns + (DenseCall.Block
                * (2L * DenseProduct.Stride(1) + DenseProduct.Stride(Math.Max(shape.Features, shape.Program.Context)))));
            var block = new SequenceSteps<TLanes>
            {
                Call = Call, Weights = Weights, Slopes = Slopes, Results = scratch, Part = scratch + ((shape.Layers - 1) * hidden),
                Raw = scratch + (shape.Layers * hidden), OfInput = To.X,
            };
            block.Columns = block.Raw + outputs;
            block.Features = block.Columns + columns;
            var ordered = block.Features + (2L * DenseCall.Block * DenseProduct.Stride(1));
            var input = ordered + outputs;
            var most = DenseCall.BlockOf(End - Start);
            for (var row = Start; row < End; row += most)
            {
                (block.Row, block.Rows, block.Tape) = (row, Math.Min(most, End - row), new(shape, Tape, Call.Net.Rows, row));
                block.Run();
                Products<TLanes>(block, ordered, input, row > Start);
            }
            if (To.After != null) Sums[Layout.After] = (float)block.OfWeight;
        }

        // gradients of weights and of the context, from those of the results of all layers
        private readonly void Products<TLanes>(in SequenceSteps<TLanes> block, float* ordered, float* input, bool add)
            where TLanes : struct, ILanes<TLanes, float>
        {
            var (shape, net, rows) = (Call.Shape, Call.Net, block.Rows);
            var (program, last, hidden) = (net.Program, shape.Layers - 1, (nint)DenseCall.Block * shape.UnitStride);
            var outputs = DenseProduct.Stride(program.Outputs);
            for (var row = 0; row < rows; row++)
                for (var step = 0; step < shape.Features; step++)
                    for (var p = 0; p < shape.Parameters; p++)
                        ordered[((nint)row * outputs) + (p * shape.Features) + shape.Order[step]] =
                            block.Raw[((nint)row * shape.RawStride) + (step * shape.Parameters) + p];
            for (var layer = last; layer >= 0; layer--)
            {
                var (gradient, stride) = (layer == last ? (nint)ordered : (nint)(block.Results + (layer * hidden)), layer == last ? outputs
                    : shape.UnitStride);
                var (count, width) = (program.Layers[layer].Outputs, program.Layers[layer].Inputs);
                if (To.Biases[layer] != null)
                    DenseBackward.Columns<TLanes>((float*)gradient, stride, Sums + Layout.Bias(layer), rows, count, add);
                if (To.Weights[layer] == null) continue;
                var from = layer == 0 ? input : block.Tape.Units(layer - 1);
                if (layer == 0) Known(block, input);
                DenseBackward.Weight<TLanes>((float*)gradient, stride, from, layer == 0 ? DenseProduct.Stride(width) : shape.UnitStride,
                    Sums + Layout.Weight(layer), DenseProduct.Stride(width), rows, count, width, add, program.Bands?[layer]);
            }
            if (net.Context == null) return;
            var (features, given) = (program.Context, DenseProduct.Stride(program.Context));
            if (To.ContextWeight != null)
            {
                DenseBlock.Copy(net.ContextAt(block.Row), net.ContextStride, input, given, rows, features);
                DenseBackward.Weight<TLanes>(block.Results, shape.UnitStride, input, given, Sums + Layout.ContextWeight, given, rows,
                    shape.Hidden, features, add);
            }
            if (To.Context == null) return;
            DenseProduct.Multiply<TLanes, float>(block.Results, shape.UnitStride, 1, Weights.ContextPanels, 0, rows, features, shape.Hidden,
                new DenseFinish<float> { Result = input, Stride = given });
            DenseBlock.Copy(input, given, To.Context + ((nint)block.Row * features), features, rows, features);
        }

        // the features as the network sees them, in its order
        private readonly void Known<TLanes>(in SequenceSteps<TLanes> block, float* to) where TLanes : struct, ILanes<TLanes, float>
        {
            var (shape, stride) = (Call.Shape, DenseProduct.Stride(Call.Shape.Features));
            for (var row = 0; row < block.Rows; row++)
                for (var step = 0; step < shape.Features; step++)
                    to[((nint)row * stride) + shape.Order[step]] = block.Tape.Known[((nint)row * shape.KnownStride) + step];
        }
    }
}
