namespace RealNvp.Kernels;

/// <summary>Some steps of a sequence that go together: what comes from before them is one product for all.</summary>
/// <param name="Start">The first step.</param>
/// <param name="End">The step after the last.</param>
/// <param name="First">The first hidden unit that becomes known in them.</param>
/// <param name="Last">The one after the last.</param>
internal readonly record struct SequenceGroup(int Start, int End, int First, int Last)
{
    public int Steps => End - Start;

    public int Units => Last - First;
}

/// <summary>The inverse of an autoregressive map in numbers: features one after the other, each by the inverse of an elementwise map whose
/// parameters a masked network gives from the features before. Each hidden unit is computed once, when all that it sees is known.</summary>
internal sealed unsafe class SequenceShape
{
    /// <summary>Steps of a group: wide enough for products as wide as tiles, and few enough that little is left for single steps.</summary>
    private const int GroupSteps = 8;

    // what a tile writes beyond its columns stays in the row
    private const int Spare = 16;

    private SequenceWeights? forward, backward;

    /// <param name="program">The network, without contexts or with one; of hidden layers of one width.</param>
    /// <param name="order">The feature of each step.</param>
    /// <param name="ends">For each step how many hidden units are known after it.</param>
    /// <param name="parameters">P, the parameters of a feature.</param>
    /// <param name="limit">What the network sees of the features, <see cref="InputLimit"/>; 0 for all of them.</param>
    /// <param name="maps">The map of each feature, which takes the first of the parameters.</param>
    /// <param name="searches">What looks in float64 for the root of a feature's inverse; null if that is no search.</param>
    public SequenceShape(DenseProgram program, long[] order, long[] ends, int parameters, double limit, ElementwiseCode[] maps,
        ElementwiseCode?[] searches)
    {
        (Program, Parameters, Limit, Maps, Searches) = (program, parameters, limit, maps, searches);
        (Order, Ends) = (Array.ConvertAll(order, i => (int)i), Array.ConvertAll(ends, i => (int)i));
        (Layers, Hidden) = (program.Layers.Count, program.Layers[0].Outputs);
        (KnownStride, UnitStride) = (DenseProduct.Stride(Features), DenseProduct.Stride(Hidden + Spare));
        RawStride = DenseProduct.Stride((Features * parameters) + Spare);
        Groups = [.. Enumerable.Range(0, (Features + GroupSteps - 1) / GroupSteps)
            .Select(g => (Start: g * GroupSteps, End: Math.Min(Features, (g + 1) * GroupSteps)))
            .Select(g => new SequenceGroup(g.Start, g.End, First(g.Start), Ends[g.End - 1]))];
    }

    public DenseProgram Program { get; }

    /// <summary>P.</summary>
    public int Parameters { get; }

    /// <summary>The limit of what the network sees; 0 for none.</summary>
    public double Limit { get; }

    /// <summary>The map of each feature.</summary>
    public ElementwiseCode[] Maps { get; }

    /// <summary>What looks for the root of a feature's inverse; null if that is no search.</summary>
    public ElementwiseCode?[] Searches { get; }

    /// <summary>The feature of each step.</summary>
    public int[] Order { get; }

    /// <summary>For each step how many hidden units are known after it.</summary>
    public int[] Ends { get; }

    public int Features => Order.Length;

    /// <summary>The linear layers.</summary>
    public int Layers { get; }

    /// <summary>The units of a hidden layer.</summary>
    public int Hidden { get; }

    /// <summary>From one row to the next: of features in the order of the steps, of units, and of parameters, step after step.</summary>
    public int KnownStride { get; }

    public int UnitStride { get; }

    public int RawStride { get; }

    public SequenceGroup[] Groups { get; }

    /// <summary>Where packed weights are, forward and for gradients.</summary>
    public SequenceWeights Forward => forward ??= new(this, backward: false);

    public SequenceWeights Backward => backward ??= new(this, backward: true);

    /// <summary>Whether all weights of maps are one number, or there are none.</summary>
    public bool HasWeight => Maps[0].HasWeight;

    /// <summary>How many hidden units are known before a step.</summary>
    public int First(int step) => step == 0 ? 0 : Ends[step - 1];

    /// <summary>The numbers that so many rows keep: features as the network sees them,
    /// units behind relu, parameters.</summary>
    public long TapeSize(long rows) => rows * (KnownStride + ((Layers - 1L) * UnitStride) + RawStride);

    /// <summary>Adds units of some rows to others: what a residual block skips.</summary>
    public void AddUnits(float* from, float* to, int rows, int columns)
    {
        for (var row = 0; row < rows; row++, from += UnitStride, to += UnitStride)
            for (var i = 0; i < columns; i++) to[i] += from[i];
    }

    /// <summary>Lays the parameters of one feature side by side, the first ones of all rows before the second ones.</summary>
    public void TakeColumn(float* raw, float* to, int rows, int parameters)
    {
        for (var p = 0; p < parameters; p++, raw++)
        {
            var from = raw;
            for (var row = 0; row < rows; row++, from += RawStride) *to++ = *from;
        }
    }

    /// <summary>The way back.</summary>
    public void PutColumn(float* from, float* raw, int rows, int parameters)
    {
        for (var p = 0; p < parameters; p++, raw++)
        {
            var to = raw;
            for (var row = 0; row < rows; row++, to += RawStride) *to = *from++;
        }
    }

    /// <summary>Multiply-adds of an example: about half of the weights are masked.</summary>
    public double Work => (0.5 * Program.Weights) + (Features * (Maps[0].Cost + (Searches[0]?.Cost ?? 0)));
}

/// <summary>Where a block of rows keeps what <see cref="SequenceShape.TapeSize"/> counts.</summary>
/// <param name="shape">The sequence.</param>
/// <param name="memory">The memory of all rows.</param>
/// <param name="all">The number of all rows.</param>
/// <param name="row">The first row of the block.</param>
internal readonly unsafe struct SequenceTape(SequenceShape shape, float* memory, long all, long row)
{
    public float* Known => memory + (row * shape.KnownStride);

    public float* Units(int layer) => memory + (all * (shape.KnownStride + ((long)layer * shape.UnitStride))) + (row * shape.UnitStride);

    public float* Raw => memory + (all * (shape.KnownStride + ((shape.Layers - 1L) * shape.UnitStride))) + (row * shape.RawStride);
}

/// <summary>One call of a sequence: where its numbers are.</summary>
/// <param name="shape">The sequence.</param>
/// <param name="net">The network; its input is what is mapped.</param>
/// <param name="weight">The weight of the maps, one number; null if they have none.</param>
internal sealed unsafe class SequenceCall(SequenceShape shape, DenseCall net, float* weight)
{
    public SequenceShape Shape => shape;

    public DenseCall Net => net;

    /// <summary>The inverse of the map of a feature.</summary>
    public CouplingMap Map(int feature) => new(shape.Maps[feature], inverse: true, weight, 1);
}
