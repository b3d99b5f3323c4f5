namespace RealNvp.Kernels;

/// <summary>Some rows on their way through the steps of a <see cref="RowPlan"/>.</summary>
internal unsafe struct RowBlock
{
    /// <summary>The most rows of a block.</summary>
    public const int Most = DenseBlock.Rows;

    /// <summary>The number of rows, at most <see cref="Most"/>, and of the numbers of each.</summary>
    public int Rows, Features;

    /// <summary>The rows, one behind the other; each step changes them in their place. A flow of float32 keeps numbers of float32 in
    /// them, but for data that a step takes in their own dtype.</summary>
    public double* X;

    /// <summary>The context of the first row; null if there is none.</summary>
    public double* Context;

    /// <summary>From one context to the next.</summary>
    public nint ContextStride;

    /// <summary>The log-determinant of each row; each step adds to it.</summary>
    public double* LogDet;

    /// <summary>Memory for as many numbers as the step has said.</summary>
    public float* Scratch;

    /// <summary>Where the weights are in this call that steps read as they lie, by their numbers in the plan.</summary>
    public nint* Weights;

    /// <summary>Whether a step gives numbers of float32.</summary>
    public bool Single;

    /// <summary>Whether data are numbers of float64 to the step: to the one that converts them they may be in a flow of float32.</summary>
    public bool Wide;

    /// <summary>From 1 to the next number that the flow keeps.</summary>
    public readonly double Epsilon => Single ? 1.1920928955078125e-07 : 2.220446049250313e-16;

    /// <summary>A number as the flow keeps it.</summary>
    public readonly double Rounded(double value) => Single ? (float)value : value;
}

/// <summary>Hands memory out, a part on the boundary of a cache line after the other.</summary>
internal unsafe struct RowScratch(float* memory)
{
    private float* at = memory;

    /// <summary>The numbers of float32 that a part of so many takes.</summary>
    public static long Size(long count) => (count + 15) / 16 * 16;

    /// <summary>As <see cref="Size(long)"/>, for numbers of any size.</summary>
    public static long Size<T>(long count) where T : unmanaged => Size(count * sizeof(T) / sizeof(float));

    public float* Take(long count) => Take<float>(count);

    public T* Take<T>(long count) where T : unmanaged
    {
        var part = at;
        at += Size<T>(count);
        return (T*)part;
    }
}
