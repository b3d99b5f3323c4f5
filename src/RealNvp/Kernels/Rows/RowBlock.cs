namespace RealNvp.Kernels;

/// <summary>Some rows on their way through the steps of a <see cref="RowPlan"/>.</summary>
internal unsafe struct RowBlock
{
    /// <summary>The most rows of a block.</summary>
    public const int Most = DenseBlock.Rows;

    /// <summary>The number of rows, at most <see cref="Most"/>, and of the numbers of each.</summary>
    public int Rows, Features;

    /// <summary>The rows, one behind the other; each step changes them in their place.</summary>
    public float* X;

    /// <summary>The context of the first row; null if there is none.</summary>
    public float* Context;

    /// <summary>From one context to the next.</summary>
    public nint ContextStride;

    /// <summary>The log-determinant of each row; each step adds to it.</summary>
    public double* LogDet;

    /// <summary>Memory for as many numbers as the step has said.</summary>
    public float* Scratch;
}

/// <summary>Hands memory out, a part on the boundary of a cache line after the other.</summary>
internal unsafe struct RowScratch(float* memory)
{
    private float* at = memory;

    /// <summary>The numbers that a part of so many takes.</summary>
    public static long Size(long count) => (count + 15) / 16 * 16;

    public float* Take(long count)
    {
        var part = at;
        at += Size(count);
        return part;
    }
}
