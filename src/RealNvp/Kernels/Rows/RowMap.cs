using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>A learned number of a map, one in all or one a column: where it is, or its number among the weights of the plan.</summary>
/// <param name="At">Where it is; 0 for none.</param>
/// <param name="Index">Its number among the weights that are read as they lie; -1 if it is at <paramref name="At"/>.</param>
/// <param name="Count">How many numbers.</param>
internal readonly record struct RowWeight(nint At, int Index, int Count)
{
    public static RowWeight None => new(0, -1, 0);

    public unsafe nint In(in RowBlock block) => Index < 0 ? At : block.Weights[Index];
}

/// <summary>Where the numbers of a map on rows are; all but the parameters lie side by side.</summary>
internal unsafe struct RowElements<T> where T : unmanaged
{
    public int Rows, Columns;

    /// <summary>What is mapped.</summary>
    public T* Input;

    /// <summary>The parameters: P times the columns in a row, and the distance between rows.</summary>
    public T* Raw;

    public nint RawRow;

    /// <summary>Gets the value.</summary>
    public T* Value;

    /// <summary>Gets the log-derivative.</summary>
    public T* LogDerivative;
}

/// <summary>An elementwise map on rows, whose parameters come from a network.</summary>
/// <param name="code">Its kernel.</param>
/// <param name="weight">Its learned number.</param>
internal unsafe class RowMap<T>(ElementwiseCode code, RowWeight weight) where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private ElementVectors<T>? forward, back;

    /// <summary>The parameters of an element.</summary>
    public int Parameters => code.Parameters;

    /// <summary>The numbers of scratch memory that so many elements need.</summary>
    public virtual long Scratch(long elements) => 0;

    /// <summary>So many elements side by side, and what fills their last vector up.</summary>
    public virtual int Whole(int elements) => Whole<T>(elements);

    protected static int Whole<TNumber>(int elements) where TNumber : unmanaged
    {
        var lanes = LaneWidth.Count<TNumber>();
        return (elements + lanes - 1) / lanes * lanes;
    }

    /// <summary>As <see cref="Run"/>, of one row of whole vectors: sooner done, and for a learned number that is one in all.</summary>
    [SkipLocalsInit]
    public virtual void RunWhole(in RowElements<T> elements, in RowBlock block, bool inverse, float* scratch)
    {
        var map = inverse ? back : forward;
        if (map is null || map.Lanes != LaneWidth.Count<T>())
        {
            map = code.Vectors<T>(inverse);
            if (inverse) back = map;
            else forward = map;
        }
        T** at = stackalloc T*[5];
        var steps = stackalloc nint[5];
        var number = stackalloc T[16];
        var count = 0;
        at[count++] = elements.Input;
        steps[count] = elements.Columns;
        at[count++] = elements.Raw;
        if (weight.In(block) is not 0 and var learned)
        {
            new Span<T>(number, map.Lanes).Fill(*(T*)learned);
            at[count++] = number;
        }
        at[count++] = elements.Value;
        at[count++] = elements.LogDerivative;
        for (var column = 0; column < elements.Columns; column += map.Lanes)
        {
            map.Run(at, steps);
            for (var s = 0; s < count; s++)
                if (at[s] != number) at[s] += map.Lanes;
        }
    }

    /// <summary>Values and log-derivatives of rows.</summary>
    public virtual void Run(in RowElements<T> elements, in RowBlock block, bool inverse, float* scratch)
    {
        var streams = stackalloc Stream<T>[5];
        var columns = elements.Columns;
        var count = 0;
        streams[count++] = new((nint)elements.Input, columns, 1, false);
        streams[count++] = new((nint)elements.Raw, elements.RawRow, code.Parameters, false) { Block = columns };
        if (weight.In(block) is not 0 and var learned) streams[count++] = new(learned, 0, weight.Count == 1 ? 0 : 1, false);
        streams[count++] = new((nint)elements.Value, columns, 1, true);
        streams[count++] = new((nint)elements.LogDerivative, columns, 1, true);
        code.Run(new ElementJob<T> { Streams = streams, Count = count, Inner = columns, Runs = 1, End = elements.Rows, Inverse = inverse });
    }
}
