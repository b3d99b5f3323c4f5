namespace RealNvp.Kernels;

/// <summary>A call of <see cref="DenseSteps"/> for some rows, on all threads.</summary>
internal sealed unsafe class DenseSequence : DenseSteps
{
    private readonly int rows;
    private float* state;

    /// <summary>Places all that the steps need.</summary>
    /// <param name="program">The network.</param>
    /// <param name="rows">The number of examples.</param>
    /// <param name="order">The feature of each step.</param>
    /// <param name="ends">For each step how many hidden units are known after it.</param>
    /// <param name="perFeature">The number of parameters of a feature.</param>
    /// <param name="limit">What the network sees of the features: see <see cref="InputLimit"/>; null for all of them.</param>
    /// <param name="hasContext">Whether a context adds to the first result.</param>
    public DenseSequence(DenseProgram program, int rows, long[] order, long[] ends, long perFeature, double? limit, bool hasContext)
        : base(program, order, ends, perFeature, limit, hasContext)
    {
        this.rows = rows;
        Size = WeightSize + StateSize(rows);
    }

    /// <summary>The numbers of memory that it needs.</summary>
    public long Size { get; }

    /// <summary>Packs the weights for all steps.</summary>
    /// <param name="place">Memory for <see cref="Size"/> numbers, which must live as long as this.</param>
    /// <param name="weights">(outputs, inputs) of each layer.</param>
    /// <param name="given">The biases of each layer.</param>
    /// <param name="context">What the context adds to the first result, (N, hidden), if there is one.</param>
    public void Begin(float* place, float*[] weights, float*[] given, float* context)
    {
        state = place + WeightSize;
        Place(place, given);
        var hidden = Program.Layers[0].Outputs;
        if (HasContext) DenseBlock.Copy(context, hidden, Added(state, rows), AddedStride, rows, hidden);
        if (rows <= DenseCall.Block && (double)rows * Program.Weights < 2 * DenseCall.Grain)
        {
            // one block on one thread meets each weight once
            PackInSteps(weights);
            return;
        }
        KernelThreads.For(Features, 8.0 * Features * StepSize, DenseCall.Grain, (first, end) =>
        {
            for (var step = (int)first; step < end; step++) Pack(weights, step);
        });
    }

    /// <summary>The parameters (N, P) of a step's feature, from the features of the steps before it.</summary>
    public void Parameters(int step, float* to) =>
        KernelThreads.For(rows, (double)rows * Program.Weights / Features, DenseCall.Grain, (start, end) =>
    {
        var width = ParameterStride;
        var scratch = KernelScratch.Own((long)DenseCall.Block * width);
        for (var row = (int)start; row < end; row += DenseCall.Block)
        {
            var count = Math.Min(DenseCall.Block, (int)end - row);
            Step(state, rows, step, row, count, scratch);
            DenseBlock.Copy(scratch, width, to + ((nint)row * PerFeature), PerFeature, count, PerFeature);
        }
    });

    /// <summary>Says what the feature of a step is: numbers that lie <paramref name="apart"/>.</summary>
    public void Know(int step, float* feature, nint apart)
    {
        for (long row = 0; row < rows; row++, feature += apart) Know(state, step, row, *feature);
    }
}
