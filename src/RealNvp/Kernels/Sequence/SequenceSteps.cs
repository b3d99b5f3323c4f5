namespace RealNvp.Kernels;

/// <summary>The steps of a sequence backwards, for a block of rows: from the gradients of features and log-determinants to those of the
/// input, of parameters and of the results of hidden layers.</summary>
internal unsafe struct SequenceSteps<TLanes> where TLanes : struct, ILanes<TLanes, float>
{
    public SequenceCall Call;
    public SequenceWeights Weights;
    public SequenceSlopes Slopes;
    public SequenceTape Tape;

    /// <summary>The first row, and how many.</summary>
    public int Row, Rows;

    /// <summary>Get the gradients of the results of hidden layers, and of parameters in the order of the steps.</summary>
    public float* Results, Raw;

    /// <summary>Memory: a part of a group; five columns, parameters and their gradients, each a column; and columns of features.</summary>
    public float* Part, Columns, Features;

    /// <summary>Gets the gradient of the input, (N, D); null if it is not wanted.</summary>
    public float* OfInput;

    /// <summary>The gradient of the maps' weight so far.</summary>
    public double OfWeight;

    private readonly SequenceShape Shape => Call.Shape;

    private readonly nint Units => (nint)DenseCall.Block * Shape.UnitStride;

    public void Run()
    {
        for (var g = Shape.Groups.Length - 1; g >= 0; g--)
        {
            var group = Shape.Groups[g];
            Outer(g, group);
            for (var step = group.End - 1; step >= group.Start; step--)
            {
                Feature(group, step);
                Hidden(group, step);
            }
        }
    }

    // what comes from behind the group: to what enters each layer, in the units or features of the group
    private readonly void Outer(int g, SequenceGroup group)
    {
        var last = Shape.Layers - 1;
        for (var layer = last; layer >= 0; layer--)
        {
            var part = Weights.OuterBackward(group, layer);
            if (part.Columns == 0) continue;
            var isLast = layer == last;
            var finish = new DenseFinish<float>
            {
                Gate = layer == 0 ? null : Tape.Units(layer - 1) + part.Column,
                Result = layer == 0 ? Features : Part,
                Stride = layer == 0 ? DenseProduct.Stride(1) : Shape.UnitStride,
            };
            DenseProduct.Multiply<TLanes, float>(isLast ? Raw + part.Row : Results + (layer * Units) + part.Row, isLast ? Shape.RawStride
                : Shape.UnitStride, 1, Weights.OuterPanels(g, layer), 0, Rows, part.Columns, part.Steps, finish);
            // exactly these columns: those behind them are done
            if (layer > 0)
                DenseBlock.Copy(Part, Shape.UnitStride, Results + ((layer - 1) * Units) + part.Column, Shape.UnitStride, Rows,
                    part.Columns);
        }
    }

    private void Feature(SequenceGroup group, int step)
    {
        var (feature, features, part) = (Shape.Order[step], Shape.Features, Weights.InnerBackward(group, step, 0));
        float* inner = Features + ((nint)DenseCall.Block * DenseProduct.Stride(1)), raw = Raw + (step * Shape.Parameters);
        var stride = DenseProduct.Stride(1);
        DenseProduct.Multiply<Lanes256<float>, float>(Results + part.Row, Shape.UnitStride, 1, Weights.InnerPanels(step, 0), 0, Rows, 1,
            part.Steps, new DenseFinish<float> { Result = inner, Stride = stride });
        var block = new CouplingBlock
        {
            Rows = 1, Columns = Rows, IsColumn = true, Input = Columns, OfValue = Columns + DenseCall.Block,
            OfInput = Columns + (2 * DenseCall.Block), OfWeight = Columns + (3 * DenseCall.Block),
            OfLogDet = Columns + (4 * DenseCall.Block), Raw = Columns + (5 * DenseCall.Block),
            OfRaw = Columns + ((5 + Shape.Parameters) * DenseCall.Block),
        };
        float* value = Slopes.Value + ((nint)Row * features) + feature, from = Call.Net.X + (Row * Call.Net.XStride) + feature,
            slope = Slopes.OfValue + ((nint)Row * features) + feature;
        var atRoot = Shape.Searches[feature] is not null;
        for (var row = 0; row < Rows; row++)
        {
            var x = value[(nint)row * features];
            block.Input[row] = atRoot ? x : from[row * Call.Net.XStride];
            var seen = Features[(row * stride) + step - group.Start] + inner[row * stride];
            if (Shape.Limit > 0) seen *= InputLimit.Derivative(x, Shape.Limit);
            block.OfValue[row] = slope[(nint)row * features] + seen;
            block.OfLogDet[row] = Slopes.OfLogDet[(Row + row) * Slopes.OfLogDetRow];
        }
        var own = Shape.Maps[feature].Parameters;
        Shape.TakeColumn(Tape.Raw + (step * Shape.Parameters), block.Raw, Rows, own);
        Call.Map(feature).Gradients(block);
        Shape.PutColumn(block.OfRaw, raw, Rows, own);
        for (var row = 0; row < Rows; row++)
        {
            for (var p = own; p < Shape.Parameters; p++) raw[(row * Shape.RawStride) + p] = 0;
            if (OfInput != null) OfInput[((nint)(Row + row) * features) + feature] = block.OfInput[row];
            if (Shape.HasWeight) OfWeight += block.OfWeight[row];
        }
    }

    // the hidden units whose last part was this feature
    private readonly void Hidden(SequenceGroup group, int step)
    {
        for (var layer = Shape.Layers - 1; layer > 0; layer--)
        {
            var part = Weights.InnerBackward(group, step, layer);
            if (part.Columns == 0) return;
            var isLast = layer == Shape.Layers - 1;
            var result = Results + ((layer - 1) * Units) + part.Column;
            if (Shape.Program.IsAddedLater(layer - 1))
                Shape.AddUnits(Results + ((layer + 1) * Units) + part.Column, result, Rows, part.Columns);
            // columns beyond those of the step are zeros, which leaves those that are done as they are
            DenseProduct.Multiply<Lanes256<float>, float>(isLast ? Raw + part.Row : Results + (layer * Units) + part.Row, isLast
                ? Shape.RawStride : Shape.UnitStride, 1, Weights.InnerPanels(step, layer), 0, Rows, part.Columns, part.Steps,
                new DenseFinish<float> { Gate = Tape.Units(layer - 1) + part.Column, Addend = result, Result = result,
                    Stride = Shape.UnitStride });
        }
    }
}
