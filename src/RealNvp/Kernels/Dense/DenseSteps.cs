namespace RealNvp.Kernels;

/// <summary>
/// The features of a masked network one after the other: in each step the hidden units that see one feature
/// more, from the units that are known, and then the parameters of the next feature. Without gradients.
/// </summary>
/// <remarks>
/// A step is too narrow for the widest vectors, so it takes those of 8 everywhere. The packed weights are in one memory, what is known
/// of some rows in another, so that several calls may use the same weights at once.
/// </remarks>
internal unsafe class DenseSteps
{
    protected const int Lanes = 8, Spare = 16;
    private readonly DenseProgram program;
    private readonly long[] order, ends;
    private readonly int features, perFeature, stride, knownStride;
    private readonly long stepSize, biases;
    private readonly double limit;
    private float* memory;
    private float*[]? unpacked;

    /// <summary>Places all that the steps need.</summary>
    /// <param name="program">The network.</param>
    /// <param name="order">The feature of each step.</param>
    /// <param name="ends">For each step how many hidden units are known after it.</param>
    /// <param name="perFeature">The number of parameters of a feature.</param>
    /// <param name="limit">What the network sees of the features: see <see cref="InputLimit"/>; null for all of them.</param>
    /// <param name="hasContext">Whether a context adds to the first result.</param>
    public DenseSteps(DenseProgram program, long[] order, long[] ends, long perFeature, double? limit, bool hasContext)
    {
        this.limit = limit ?? 0;
        (this.program, this.order, this.ends, HasContext) = (program, order, ends, hasContext);
        (features, this.perFeature) = (order.Length, (int)perFeature);
        var hidden = program.Layers[0].Outputs;
        // what a tile writes beyond its columns must stay in the row
        (stride, knownStride) = (DenseProduct.Stride(hidden + Spare), DenseProduct.Stride(features));
        stepSize = LargestStep(hidden);
        biases = features * stepSize;
        WeightSize = biases + (program.Layers.Count * DenseProduct.Stride(Math.Max(hidden, program.Outputs) + Spare))
            + (features * DenseProduct.Stride((int)perFeature));
    }

    public DenseProgram Program => program;

    public int Features => features;

    /// <summary>The parameters of a feature.</summary>
    public int PerFeature => perFeature;

    public bool HasContext { get; }

    /// <summary>The numbers of memory that the packed weights need.</summary>
    public long WeightSize { get; }

    /// <summary>The distance between the rows of parameters that <see cref="Step"/> gives.</summary>
    public int ParameterStride => DenseProduct.Stride(perFeature);

    /// <summary>The distance between the rows of what the context adds.</summary>
    public int AddedStride => stride;

    protected long StepSize => stepSize;

    /// <summary>The numbers of memory that so many rows need.</summary>
    public long StateSize(long rows) =>
        (rows * knownStride) + (rows * stride * ((HasContext ? 2 : 1) + program.Layers.Count - 1));

    /// <summary>The feature of a step.</summary>
    public int FeatureOf(int step) => (int)order[step];

    /// <summary>What the context adds to the first result of a row, hidden numbers, in rows of <see cref="AddedStride"/>.</summary>
    /// <remarks>Apart from the sums: a tile of those writes over the columns of later steps.</remarks>
    public float* Added(float* state, int rows) => state + ((long)rows * (knownStride + stride));

    /// <summary>Says what the feature of a step is, for a row.</summary>
    public void Know(float* state, int step, long row, float value) =>
        state[(row * knownStride) + step] = limit > 0 ? InputLimit.Of(value, limit) : value;

    /// <summary>The parameters of a step's feature for some rows, in rows of <see cref="ParameterStride"/>.</summary>
    /// <param name="state">The memory of all rows.</param>
    /// <param name="rows">All rows.</param>
    /// <param name="step">The step; features of those before it are known.</param>
    /// <param name="row">The first row.</param>
    /// <param name="count">How many rows.</param>
    /// <param name="parameters">Gets them.</param>
    public void Step(float* state, int rows, int step, int row, int count, float* parameters)
    {
        var (start, end) = (step == 0 ? 0 : (int)ends[step - 1], (int)ends[step]);
        if (unpacked is not null) Pack(unpacked, step);
        var panel = PanelOf(step);
        var at = ((long)row * stride) + start;
        var sums = state + ((long)rows * knownStride);
        var entering = sums + ((long)rows * stride * (HasContext ? 2 : 1));
        for (var i = 0; i < program.Layers.Count - 1 && end > start; i++)
        {
            var relu = entering + ((long)i * rows * stride);
            var finish = new DenseFinish<float> { Bias = Bias(i) + start, Relu = relu + at, Stride = stride };
            if (program.IsAddedLater(i)) finish.Result = sums + at;
            if (program.Layers[i].AddsSkip) finish.Addend = sums + at;
            if (i == 0 && HasContext) finish.Addend = Added(state, rows) + at;
            var from = i == 0 ? state + ((long)row * knownStride) : relu + ((row - (long)rows) * stride);
            var steps = i == 0 ? step : end;
            DenseProduct.Multiply<Lanes256<float>, float>(from, i == 0 ? knownStride : stride, 1, panel, 0, count, end - start, steps,
                finish);
            panel += DensePacking.Size(end - start, steps, Lanes);
        }
        var last = new DenseFinish<float> { Bias = LastBias(step), Result = parameters, Stride = ParameterStride };
        DenseProduct.Multiply<Lanes256<float>, float>(entering + ((((program.Layers.Count - 2L) * rows) + row) * stride), stride, 1, panel,
            0, count, perFeature, end, last);
    }

    /// <summary>Says where the packed weights are, and copies the biases.</summary>
    /// <param name="place">Memory for <see cref="WeightSize"/> numbers, which must live as long as this.</param>
    /// <param name="given">The biases of each layer.</param>
    public void Place(float* place, float*[] given)
    {
        memory = place;
        for (var i = 0; i < given.Length - 1; i++)
        {
            var outputs = program.Layers[i].Outputs;
            new ReadOnlySpan<float>(given[i], outputs).CopyTo(new Span<float>(Bias(i), outputs));
        }
        var last = given[^1];
        for (var step = 0; step < features; step++)
            for (var p = 0; p < perFeature; p++) LastBias(step)[p] = last[(p * features) + order[step]];
    }

    /// <summary>Says that each step packs its weights itself, into the same memory: for rows that are all in one step at a time.</summary>
    /// <param name="weights">(outputs, inputs) of each layer, which stay where they are.</param>
    public void PackInSteps(float*[] weights) => unpacked = weights;

    /// <summary>Packs the weights of a step.</summary>
    /// <param name="weights">(outputs, inputs) of each layer.</param>
    /// <param name="step">The step.</param>
    public void Pack(float*[] weights, int step)
    {
        var (start, end) = (step == 0 ? 0 : (int)ends[step - 1], (int)ends[step]);
        var to = PanelOf(step);
        for (var i = 0; i < weights.Length - 1 && end > start; i++)
        {
            var steps = i == 0 ? step : end;
            var inputs = program.Layers[i].Inputs;
            if (i > 0) Pack(weights[i] + ((nint)start * inputs), inputs, end - start, steps, to);
            else
                // the columns of the first weight in the order of the features
                for (var k = 0; k < steps; k++)
                    for (var column = 0; column < end - start; column++)
                        to[At(column, k, end - start, steps)] = weights[0][((start + column) * inputs) + order[k]];
            if (i == 0) ClearEdge(end - start, steps, to);
            to += DensePacking.Size(end - start, steps, Lanes);
        }
        var width = program.Layers[^1].Inputs;
        Pack(weights[^1] + ((nint)order[step] * width), (nint)features * width, perFeature, end, to);
    }

    private static void Pack(float* weight, nint rowStride, int outputs, int inputs, float* to) =>
        DensePacking.Forward(weight, null, rowStride, outputs, inputs, DensePanels.Of<float>(Lanes), to);

    private static long At(int column, int step, int columns, int steps)
    {
        var panel = column / (2 * Lanes) * (2 * Lanes);
        return ((long)panel * steps) + (step * (columns - panel > Lanes ? 2 * Lanes : Lanes)) + (column - panel);
    }

    private static void ClearEdge(int columns, int steps, float* to)
    {
        for (var column = columns; column % Lanes != 0; column++)
            for (var step = 0; step < steps; step++) to[At(column, step, columns, steps)] = 0;
    }

    // room for the panels of any step
    private long LargestStep(int hidden)
    {
        var most = 0L;
        for (var step = 0; step < features; step++) most = Math.Max(most, ends[step] - (step == 0 ? 0 : ends[step - 1]));
        var units = (most + Spare) / Lanes * Lanes;
        var parameters = (perFeature + Spare) / Lanes * Lanes;
        return (units * (features + ((long)(program.Layers.Count - 2) * hidden))) + ((long)parameters * hidden);
    }

    private float* PanelOf(int step) => unpacked is null ? memory + (step * stepSize) : memory;

    private float* Bias(int layer) =>
        memory + biases + (layer * DenseProduct.Stride(Math.Max(program.Layers[0].Outputs, program.Outputs) + Spare));

    private float* LastBias(int step) =>
        memory + WeightSize - (features * DenseProduct.Stride(perFeature)) + (step * DenseProduct.Stride(perFeature));
}
