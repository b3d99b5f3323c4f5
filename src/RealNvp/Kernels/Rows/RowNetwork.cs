using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>A network of linear layers with relus on rows.</summary>
/// <param name="program">The network.</param>
/// <param name="limit">What it sees of its input and of a context: see <see cref="InputLimit"/>; 0 for all of them.</param>
internal abstract unsafe class RowNetwork<T>(DenseProgram program, double limit) where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public DenseProgram Program => program;

    /// <summary>The limit of what it sees; 0 for none.</summary>
    public double Limit => limit;

    /// <summary>The distance between the rows of its input.</summary>
    public int InputStride { get; } = DenseProduct.Stride(program.Inputs);

    /// <summary>The distance between the rows of its output.</summary>
    public int OutputStride { get; } = DenseProduct.Stride(program.Outputs);

    /// <summary>The numbers of scratch memory that a block needs, its input and its output left out.</summary>
    public long Scratch => OwnScratch + RowScratch.Size<T>((long)RowBlock.Most * ContextStride);

    /// <summary>The numbers of scratch memory that <see cref="Run(T*, T*, int, in RowBlock, float*, T*)"/> needs.</summary>
    protected abstract long OwnScratch { get; }

    /// <summary>The distance between contexts as the network sees them; 0 for none.</summary>
    protected int ContextStride { get; } = program.Context == 0 ? 0 : DenseProduct.Stride(program.Context);

    /// <summary>Runs the network.</summary>
    /// <param name="x">Its input, in rows of <see cref="InputStride"/>. The limit takes it in its place.</param>
    /// <param name="block">The rows and their contexts.</param>
    /// <param name="scratch">Memory for <see cref="Scratch"/> numbers.</param>
    /// <param name="output">Gets its output, in rows of <see cref="OutputStride"/>.</param>
    public void Run(T* x, in RowBlock block, float* scratch, T* output)
    {
        RowLimit<T>.Apply(x, InputStride, program.Inputs, block.Rows, limit);
        var memory = new RowScratch(scratch);
        var context = Context(block, ref memory);
        Run(x, context, block.Rows, block, memory.Take(0), output);
    }

    /// <summary>What the context adds to the result of the first layer.</summary>
    /// <param name="block">The rows and their contexts.</param>
    /// <param name="scratch">Memory for <see cref="Scratch"/> numbers.</param>
    /// <param name="to">Gets it.</param>
    /// <param name="stride">From one row of it to the next, 16 more than it has numbers at least.</param>
    public void Add(in RowBlock block, float* scratch, T* to, nint stride)
    {
        var memory = new RowScratch(scratch);
        AddContext(Context(block, ref memory), block.Rows, to, stride);
    }

    protected abstract void Run(T* x, T* context, int rows, in RowBlock block, float* scratch, T* output);

    protected virtual void AddContext(T* context, int rows, T* to, nint stride) => throw new NotSupportedException();

    // the context as the network sees it
    private T* Context(in RowBlock block, ref RowScratch memory) => program.Context == 0 ? null
        : RowLimit<T>.Context(block, program.Context, ContextStride, limit, memory.Take<T>((long)RowBlock.Most * ContextStride));
}

/// <summary>What networks see of rows.</summary>
internal static unsafe class RowLimit<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Limits numbers in their place; 0 does nothing.</summary>
    public static void Apply(T* x, int stride, int columns, int rows, double limit)
    {
        if (limit == 0) return;
        // what lies between rows goes through the limit with them
        for (var row = 0; row < rows; row++) new Span<T>(x + ((nint)row * stride) + columns, stride - columns).Clear();
        if (typeof(T) == typeof(float)) InputLimit.Apply((float*)x, (nint)rows * stride, limit);
        else
            for (nint i = 0; i < (nint)rows * stride; i++) x[i] = Of(x[i], limit);
    }

    /// <summary>Of one number; 0 leaves it as it is.</summary>
    public static T Of(T x, double limit)
    {
        if (limit == 0) return x;
        if (typeof(T) == typeof(float)) return T.CreateTruncating(InputLimit.Of(float.CreateTruncating(x), limit));
        var u = Math.Clamp(double.CreateTruncating(x) * (1 / limit), -InputLimit.Most, InputLimit.Most);
        return T.CreateTruncating(u / Math.Sqrt((u * u) + 1) * limit);
    }

    /// <summary>Copies contexts as a network sees them.</summary>
    public static T* Context(in RowBlock block, int columns, int stride, double limit, T* to)
    {
        RowColumns.Copy(block.Context, block.ContextStride, to, stride, block.Rows, columns);
        Apply(to, stride, columns, block.Rows, limit);
        return to;
    }
}
