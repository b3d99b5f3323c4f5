
namespace RealNvp.Kernels;

/// <summary>
/// The features of a masked network one after the other: in each step the hidden units that see one feature
/// more, from the units that are known, and then the parameters of the next feature. Without gradients.
/// </summary>
/// <remarks>A step is too narrow for the widest vectors, so it takes those of 8 everywhere.</remarks>
internal sealed unsafe class DenseSequence
{
    private const int Lanes = 8, Spare = 16;
    private readonly DenseProgram program;
    private readonly long[] order, ends;
    private readonly int rows, features, perFeature, stride, knownStride;
    private readonly long stepSize, biases, known, sums, added, entering;
    private float* memory;
    private readonly double limit;
    private readonly bool hasContext;

    /// <summary>Places all that the steps need.</summary>
    /// <param name="program">The network.</param>
    /// <param name="rows">The number of examples.</param>
    /// <param name="order">The feature of each step.</param>
    /// <param name="ends">For each step how many hidden units are known after it.</param>
    /// <param name="perFeature">The number of parameters of a feature.</param>
    /// <param name="limit">What the network sees of the features: see <see cref="InputLimit"/>; null for all of them.</param>
    /// <param name="hasContext">Whether a context adds to the first result.</param>
    public DenseSequence(DenseProgram program, int rows, long[] order, long[] ends, long perFeature, double? limit, bool hasContext)
    {
        this.limit = limit ?? 0;
        (this.program, this.order, this.ends) = (program, order, ends);
        (this.rows, features, this.perFeature, this.hasContext) = (rows, order.Length, (int)perFeature, hasContext);
        var hidden = program.Layers[0].Outputs;
        // what a tile writes beyond its columns must stay in the row
        (stride, knownStride) = (DenseProduct.Stride(hidden + Spare), DenseProduct.Stride(features));
        stepSize = StepSize(hidden);
        biases = features * stepSize;
        known = biases + (program.Layers.Count * DenseProduct.Stride(Math.Max(hidden, program.Outputs) + Spare))
            + (features * DenseProduct.Stride((int)perFeature));
        sums = known + ((long)rows * knownStride);
        // apart from the sums: a tile of those writes over the columns of later steps
        added = sums + ((long)rows * stride);
        entering = added + (hasContext ? (long)rows * stride : 0);
        Size = entering + ((long)(program.Layers.Count - 1) * rows * stride);
    }

    /// <summary>The numbers of memory that it needs.</summary>
    public long Size { get; }

    public int Features => features;

    /// <summary>Packs the weights for all steps.</summary>
    /// <param name="place">Memory for <see cref="Size"/> numbers, which must live as long as this.</param>
    /// <param name="weights">(outputs, inputs) of each layer.</param>
    /// <param name="given">The biases of each layer.</param>
    /// <param name="context">What the context adds to the first result, (N, hidden), if there is one.</param>
    public void Begin(float* place, float*[] weights, float*[] given, float* context)
    {
        memory = place;
        var hidden = program.Layers[0].Outputs;
        for (var i = 0; i < weights.Length - 1; i++)
        {
            var outputs = program.Layers[i].Outputs;
            new ReadOnlySpan<float>(given[i], outputs).CopyTo(new Span<float>(Bias(i), outputs));
        }
        var last = given[^1];
        for (var step = 0; step < features; step++)
            for (var p = 0; p < perFeature; p++) LastBias(step)[p] = last[(p * features) + order[step]];
        if (hasContext) DenseForward.Copy(context, hidden, memory + added, stride, rows, hidden);
        KernelThreads.For(features, 8.0 * features * stepSize, DenseCall.Grain, (first, end) =>
        {
            for (var step = (int)first; step < end; step++) Pack(weights, step);
        });
    }

    /// <summary>The parameters (N, P) of a step's feature, from the features of the steps before it.</summary>
    public void Parameters(int step, float* to) =>
        KernelThreads.For(rows, (double)rows * program.Weights / features, DenseCall.Grain, (start, end) =>
    {
        var width = DenseProduct.Stride(perFeature);
        var scratch = KernelScratch.Own((long)DenseCall.Block * width);
        for (var row = (int)start; row < end; row += DenseCall.Block)
        {
            var count = Math.Min(DenseCall.Block, (int)end - row);
            Step(step, row, count, scratch);
            DenseForward.Copy(scratch, width, to + ((nint)row * perFeature), perFeature, count, perFeature);
        }
    });

    /// <summary>Says what the feature of a step is: numbers that lie <paramref name="apart"/>.</summary>
    public void Know(int step, float* feature, nint apart)
    {
        for (long row = 0; row < rows; row++, feature += apart) memory[known + (row * knownStride) + step] = Seen(*feature);
    }

    /// <summary>The inverse of an affine map of all features: (N, D) to (N, D), and the log-determinant (N).</summary>
    /// <param name="from">The values.</param>
    /// <param name="scale">a, one in all.</param>
    /// <param name="shiftFirst">Whether the forward map adds before it scales.</param>
    /// <param name="to">Gets the features.</param>
    /// <param name="sum">Gets the log-determinant.</param>
    public void InverseAffine(float* from, float scale, bool shiftFirst, float* to, float* sum)
    {
        // NaN stays NaN, as in torch
        scale = Math.Clamp(scale, (float)-AffineForm.MaxLogScale, (float)AffineForm.MaxLogScale);
        KernelThreads.For(rows, (double)rows * program.Weights, DenseCall.Grain, (start, end) =>
        {
            var scratch = KernelScratch.Own((long)DenseCall.Block * Spare);
            for (var row = (int)start; row < end; row += DenseCall.Block)
            {
                var count = Math.Min(DenseCall.Block, (int)end - row);
                new Span<float>(sum + row, count).Clear();
                for (var step = 0; step < features; step++)
                {
                    Step(step, row, count, scratch);
                    for (var r = 0; r < count; r++)
                    {
                        var at = ((long)(row + r) * features) + order[step];
                        var minus = -(scale * MathF.Tanh(scratch[r * Spare]));
                        var shift = scratch[(r * Spare) + 1];
                        var x = shiftFirst ? (from[at] * MathF.Exp(minus)) - shift : (from[at] - shift) * MathF.Exp(minus);
                        (to[at], sum[row + r]) = (x, sum[row + r] + minus);
                        memory[known + ((long)(row + r) * knownStride) + step] = Seen(x);
                    }
                }
            }
        });
    }

    // the parameters of a step's feature for some rows, in rows of our own stride
    private void Step(int step, int row, int count, float* parameters)
    {
        var (start, end) = (step == 0 ? 0 : (int)ends[step - 1], (int)ends[step]);
        var panel = memory + (step * stepSize);
        var at = ((long)row * stride) + start;
        for (var i = 0; i < program.Layers.Count - 1 && end > start; i++)
        {
            var finish = new DenseFinish<float> { Bias = Bias(i) + start, Relu = Entering(i) + at, Stride = stride };
            if (program.IsAddedLater(i)) finish.Result = memory + sums + at;
            if (program.Layers[i].AddsSkip) finish.Addend = memory + sums + at;
            if (i == 0 && hasContext) finish.Addend = memory + added + at;
            var from = i == 0 ? memory + known + ((long)row * knownStride) : Entering(i - 1) + ((long)row * stride);
            var steps = i == 0 ? step : end;
            DenseProduct.Multiply<Lanes256<float>, float>(from, i == 0 ? knownStride : stride, 1, panel, 0, count, end - start, steps,
                finish);
            panel += DensePacking.Size(end - start, steps, Lanes);
        }
        var last = new DenseFinish<float> { Bias = LastBias(step), Result = parameters, Stride = DenseProduct.Stride(perFeature) };
        DenseProduct.Multiply<Lanes256<float>, float>(Entering(program.Layers.Count - 2) + ((long)row * stride), stride, 1, panel, 0, count,
            perFeature, end, last);
    }

    private void Pack(float*[] weights, int step)
    {
        var (start, end) = (step == 0 ? 0 : (int)ends[step - 1], (int)ends[step]);
        var to = memory + (step * stepSize);
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

    private static void Pack(float* weight, nint rowStride, int outputs, int inputs, float* to)
    {
        for (var column = 0; column < outputs; column += DenseTile.Vectors * Lanes)
            DensePacking.Forward(weight, null, rowStride, outputs, inputs, column, Lanes, to);
    }

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

    private float Seen(float x) => limit > 0 ? InputLimit.Of(x, limit) : x;

    // room for the panels of any step
    private long StepSize(int hidden)
    {
        var most = 0L;
        for (var step = 0; step < features; step++) most = Math.Max(most, ends[step] - (step == 0 ? 0 : ends[step - 1]));
        var units = (most + Spare) / Lanes * Lanes;
        var parameters = (perFeature + Spare) / Lanes * Lanes;
        return (units * (features + ((long)(program.Layers.Count - 2) * hidden))) + ((long)parameters * hidden);
    }

    private float* Bias(int layer) =>
        memory + biases + (layer * DenseProduct.Stride(Math.Max(program.Layers[0].Outputs, program.Outputs) + Spare));

    private float* LastBias(int step) =>
        memory + known - (features * DenseProduct.Stride(perFeature)) + (step * DenseProduct.Stride(perFeature));

    private float* Entering(int layer) => memory + entering + ((long)layer * rows * stride);
}
