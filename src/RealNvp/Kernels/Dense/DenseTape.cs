namespace RealNvp.Kernels;

/// <summary>Where a pass writes the activations of a block of rows down, which gradients need.</summary>
/// <param name="memory">The tape of all rows, or null if nothing is written.</param>
/// <param name="all">The number of all rows.</param>
/// <param name="row">The first row of the block.</param>
internal readonly unsafe struct DenseTape(float* memory, long all, int row)
{
    public bool IsWritten => memory != null;

    /// <summary>Where the activations of a layer begin on the tape of so many rows.</summary>
    public static long Start(DenseProgram program, long rows, int layer)
    {
        var width = 0L;
        for (var i = 0; i < layer; i++) width += DenseProduct.Stride(program.Layers[i].Outputs);
        return rows * width;
    }

    /// <summary>The activations of a layer for the rows of the block.</summary>
    public float* At(DenseProgram program, int layer, nint stride) => memory + Start(program, all, layer) + (row * stride);
}
