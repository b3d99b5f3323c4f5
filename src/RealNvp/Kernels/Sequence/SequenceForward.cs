namespace RealNvp.Kernels;

/// <summary>All steps of a sequence, a block of rows after the other.</summary>
internal static unsafe class SequenceForward
{
    /// <summary>Runs the sequence.</summary>
    /// <param name="call">The sequence and what is mapped.</param>
    /// <param name="tape">Gets what the gradients need; null if none are wanted.</param>
    /// <param name="value">Gets the features (N, D).</param>
    /// <param name="logDet">Gets the log-determinant (N).</param>
    /// <returns>The largest residual of a search for roots, NaN if one is; 0 without searches.</returns>
    public static double Run(SequenceCall call, float* tape, float* value, float* logDet)
    {
        var (weights, worst, gate) = (SequenceWeights.Forward(call), 0.0, new Lock());
        KernelThreads.For(call.Net.Rows, call.Net.Rows * call.Shape.Work, DenseCall.Grain, (start, end) =>
        {
            var residual = LaneWidth.Floats == 16 ? Rows<Lanes512<float>>(call, weights, tape, value, logDet, (int)start, (int)end)
                : Rows<Lanes256<float>>(call, weights, tape, value, logDet, (int)start, (int)end);
            lock (gate) worst = Worse(worst, residual);
        });
        return worst;
    }

    // NaN stays
    private static double Worse(double a, double b) => double.IsNaN(a) || b <= a ? a : b;

    private static double Rows<TLanes>(SequenceCall call, SequenceWeights weights, float* tape, float* value, float* logDet, int start,
        int end)
        where TLanes : struct, ILanes<TLanes, float>
    {
        var (shape, net) = (call.Shape, call.Net);
        var units = (long)DenseCall.Block * shape.UnitStride;
        // results of each layer from outside of a group, those that a residual block adds later, what the context adds, columns
        var own = tape == null ? shape.TapeSize(DenseCall.Block) : 0;
        var search = 2L * (3 + shape.Parameters);
        var scratch = KernelScratch.Own((((2L * shape.Layers) - 1) * units) + own + ((3 + search + shape.Parameters) * DenseCall.Block));
        var columns = scratch + (((2L * shape.Layers) - 1) * units) + own;
        var worst = 0.0;
        var most = DenseCall.BlockOf(end - start);
        for (var row = start; row < end; row += most)
        {
            var block = new Block<TLanes>
            {
                Call = call, Weights = weights, Rows = Math.Min(most, end - row), Partial = scratch,
                Sums = scratch + ((shape.Layers - 1) * units),
                Added = net.Context == null ? null : scratch + (2 * (shape.Layers - 1) * units),
                Columns = columns, From = net.X + (row * net.XStride), To = value + ((nint)row * shape.Features), LogDet = logDet + row,
                Tape = tape != null ? new(shape, tape, net.Rows, row) : new(shape, columns - own, DenseCall.Block, 0),
            };
            if (net.Context != null)
                DenseProduct.Multiply<TLanes, float>(net.ContextAt(row), net.ContextStride, 1, weights.ContextPanels, 0, block.Rows,
                    shape.Hidden, net.Program.Context, new DenseFinish<float> { Result = block.Added, Stride = shape.UnitStride });
            block.Run();
            worst = Worse(worst, block.Residual);
        }
        return worst;
    }

    private struct Block<TLanes> where TLanes : struct, ILanes<TLanes, float>
    {
        public SequenceCall Call;
        public SequenceWeights Weights;
        public SequenceTape Tape;
        public int Rows;
        public float* Partial, Sums, Added, Columns, From, To, LogDet;

        /// <summary>The largest residual of a search, NaN if one is.</summary>
        public double Residual;

        private readonly SequenceShape Shape => Call.Shape;

        private readonly nint Units => (nint)DenseCall.Block * Shape.UnitStride;

        public void Run()
        {
            new Span<float>(LogDet, Rows).Clear();
            for (var g = 0; g < Shape.Groups.Length; g++)
            {
                var group = Shape.Groups[g];
                Outer(g, group);
                for (var step = group.Start; step < group.End; step++)
                {
                    Hidden(group, step);
                    Feature(group, step);
                }
            }
        }

        // what all steps of a group get from before it
        private readonly void Outer(int g, SequenceGroup group)
        {
            for (var layer = 0; layer < Shape.Layers; layer++)
            {
                var part = Weights.Outer(group, layer);
                if (part.Columns == 0) continue;
                var isLast = layer == Shape.Layers - 1;
                var finish = new DenseFinish<float>
                {
                    Bias = Weights.Bias(layer) + part.Row,
                    Addend = layer == 0 && Added != null ? Added + part.Row : null,
                    Result = (isLast ? Tape.Raw : Partial + (layer * Units)) + part.Row,
                    Stride = isLast ? Shape.RawStride : Shape.UnitStride,
                };
                DenseProduct.Multiply<TLanes, float>(layer == 0 ? Tape.Known : Tape.Units(layer - 1), layer == 0 ? Shape.KnownStride
                    : Shape.UnitStride, 1, Weights.OuterPanels(g, layer), 0, Rows, part.Columns, part.Steps, finish);
            }
        }

        // the hidden units that see one feature more
        private readonly void Hidden(SequenceGroup group, int step)
        {
            for (var layer = 0; layer < Shape.Layers - 1; layer++)
            {
                var part = Weights.Inner(group, step, layer);
                if (part.Columns == 0) return;
                var partial = Partial + (layer * Units) + part.Row;
                if (Shape.Program.Layers[layer].AddsSkip)
                    Shape.AddUnits(Sums + ((layer - 2) * Units) + part.Row, partial, Rows, part.Columns);
                var finish = new DenseFinish<float>
                {
                    Addend = partial,
                    Result = Shape.Program.IsAddedLater(layer) ? Sums + (layer * Units) + part.Row : null,
                    Relu = Tape.Units(layer) + part.Row,
                    Stride = Shape.UnitStride,
                };
                DenseProduct.Multiply<Lanes256<float>, float>((layer == 0 ? Tape.Known : Tape.Units(layer - 1)) + part.Column, layer == 0
                    ? Shape.KnownStride : Shape.UnitStride, 1, Weights.InnerPanels(step, layer), 0, Rows, part.Columns, part.Steps, finish);
            }
        }

        private void Feature(SequenceGroup group, int step)
        {
            var (last, feature) = (Shape.Layers - 1, Shape.Order[step]);
            var part = Weights.Inner(group, step, last);
            // columns beyond the parameters are zeros, which leaves those of later steps as they are
            var raw = Tape.Raw + part.Row;
            DenseProduct.Multiply<Lanes256<float>, float>(Tape.Units(last - 1) + part.Column, Shape.UnitStride, 1,
                Weights.InnerPanels(step, last), 0, Rows, part.Columns, part.Steps, new() { Addend = raw, Result = raw,
                    Stride = Shape.RawStride });
            var block = new CouplingBlock { Rows = 1, Columns = Rows, IsColumn = true, Input = Columns, Value = Columns + DenseCall.Block,
                LogDerivative = Columns + (2 * DenseCall.Block), Raw = Columns + (3 * DenseCall.Block) };
            for (var row = 0; row < Rows; row++) block.Input[row] = From[(row * Call.Net.XStride) + feature];
            if (Shape.Searches[feature] is { } search) Root(search, raw, block.Input, Columns + ((3 + Shape.Parameters) * DenseCall.Block));
            Shape.TakeColumn(raw, block.Raw, Rows, Shape.Maps[feature].Parameters);
            Call.Map(feature).Values(block);
            for (var row = 0; row < Rows; row++)
            {
                var x = block.Value[row];
                To[((nint)row * Shape.Features) + feature] = x;
                LogDet[row] += block.LogDerivative[row];
                Tape.Known[((nint)row * Shape.KnownStride) + step] = Shape.Limit > 0 ? InputLimit.Of(x, Shape.Limit) : x;
            }
        }

        // what is mapped becomes its root, at which the inverse is computed
        private void Root(ElementwiseCode search, float* raw, float* input, float* memory)
        {
            var each = search.Parameters;
            double* target = (double*)memory, root = target + DenseCall.Block, rest = root + DenseCall.Block,
                wide = rest + DenseCall.Block;
            for (var row = 0; row < Rows; row++)
            {
                target[row] = input[row];
                for (var p = 0; p < each; p++) wide[(row * each) + p] = raw[((nint)row * Shape.RawStride) + p];
            }
            var streams = stackalloc Stream<double>[4];
            streams[0] = new((nint)target, 1, 1, false);
            streams[1] = new((nint)wide, each, each, false) { Block = 1 };
            streams[2] = new((nint)root, 1, 1, true);
            streams[3] = new((nint)rest, 1, 1, true);
            search.Run(new ElementJob<double> { Streams = streams, Count = 4, Inner = 1, Runs = 1, Start = 0, End = Rows });
            for (var row = 0; row < Rows; row++)
            {
                input[row] = (float)root[row];
                Residual = Worse(Residual, rest[row]);
            }
        }
    }
}
