namespace RealNvp.Kernels;

/// <summary>A network of linear layers with relus on rows.</summary>
/// <param name="program">The network.</param>
/// <param name="limit">What it sees of its input and of a context: see <see cref="InputLimit"/>; 0 for all of them.</param>
internal abstract unsafe class RowNetwork(DenseProgram program, double limit)
{
    public DenseProgram Program => program;

    /// <summary>The limit of what it sees; 0 for none.</summary>
    public double Limit => limit;

    /// <summary>The distance between the rows of its input.</summary>
    public int InputStride { get; } = DenseProduct.Stride(program.Inputs);

    /// <summary>The distance between the rows of its output.</summary>
    public int OutputStride { get; } = DenseProduct.Stride(program.Outputs);

    /// <summary>The numbers of scratch memory that a block needs, its input and its output left out.</summary>
    public long Scratch => DenseBlock.ScratchSize(program) + ContextSize;

    private long ContextSize => program.Context == 0 ? 0 : RowScratch.Size((long)RowBlock.Most * DenseProduct.Stride(program.Context));

    /// <summary>Runs the network.</summary>
    /// <param name="x">Its input, in rows of <see cref="InputStride"/>. The limit takes it in its place.</param>
    /// <param name="block">The rows and their contexts.</param>
    /// <param name="scratch">Memory for <see cref="Scratch"/> numbers.</param>
    /// <param name="output">Gets its output, in rows of <see cref="OutputStride"/>.</param>
    public void Run(float* x, in RowBlock block, float* scratch, float* output)
    {
        if (limit > 0) Limited(x, InputStride, program.Inputs, block.Rows);
        var context = Context(block, scratch, out var stride);
        Run(x, context, stride, block.Rows, scratch + ContextSize, output);
    }

    /// <summary>What the context adds to the result of the first layer.</summary>
    /// <param name="block">The rows and their contexts.</param>
    /// <param name="scratch">Memory for <see cref="Scratch"/> numbers.</param>
    /// <param name="to">Gets it.</param>
    /// <param name="stride">From one row of it to the next, 16 more than it has numbers at least.</param>
    public void Add(in RowBlock block, float* scratch, float* to, nint stride)
    {
        var context = Context(block, scratch, out var contextStride);
        AddContext(context, contextStride, block.Rows, to, stride);
    }

    protected abstract void Run(float* x, float* context, nint contextStride, int rows, float* scratch, float* output);

    protected abstract void AddContext(float* context, nint contextStride, int rows, float* to, nint stride);

    // the context as the network sees it
    private float* Context(in RowBlock block, float* scratch, out nint stride)
    {
        stride = block.ContextStride;
        if (program.Context == 0) return null;
        if (limit == 0) return block.Context;
        stride = DenseProduct.Stride(program.Context);
        DenseBlock.Copy(block.Context, block.ContextStride, scratch, stride, block.Rows, program.Context);
        Limited(scratch, (int)stride, program.Context, block.Rows);
        return scratch;
    }

    private void Limited(float* x, int stride, int columns, int rows)
    {
        // what lies between rows goes through the limit with them
        for (var row = 0; row < rows; row++) new Span<float>(x + ((nint)row * stride) + columns, stride - columns).Clear();
        InputLimit.Apply(x, (nint)rows * stride, limit);
    }
}
