namespace RealNvp.Kernels;

/// <summary>Where the packed weights of a network are: one matrix a layer, its bias filled up to whole vectors, and the weight of the
/// context. The memory is somebody else's.</summary>
internal readonly unsafe struct DensePacked
{
    private readonly float*[] panels, padded;

    /// <summary>Places the matrices one after the other; nothing is written.</summary>
    /// <param name="program">The network.</param>
    /// <param name="memory">Room for <see cref="Size"/> numbers.</param>
    public DensePacked(DenseProgram program, float* memory)
    {
        var count = program.Layers.Count;
        (panels, padded) = (new float*[count], new float*[count]);
        for (var i = 0; i < count; i++)
        {
            var layer = program.Layers[i];
            panels[i] = memory;
            memory += Rounded(layer.Outputs) * Rounded(layer.Inputs);
            padded[i] = memory;
            memory += DenseProduct.Stride(layer.Outputs);
        }
        ContextPanels = memory;
    }

    /// <summary>The packed weight of the context.</summary>
    public float* ContextPanels { get; }

    /// <summary>The packed weight of a layer.</summary>
    public float* Panels(int layer) => panels[layer];

    /// <summary>The bias of a layer, filled up to whole vectors; packed forward only.</summary>
    public float* Bias(int layer) => padded[layer];

    /// <summary>Elements that packing needs.</summary>
    public static long Size(DenseProgram program, bool hasContext)
    {
        var size = hasContext ? Rounded(program.Layers[0].Outputs) * Rounded(program.Context) : 0L;
        foreach (var layer in program.Layers)
            size += (Rounded(layer.Outputs) * Rounded(layer.Inputs)) + DenseProduct.Stride(layer.Outputs);
        return size;
    }

    /// <summary>Copies the bias of a layer.</summary>
    public void FillBias(DenseProgram program, int layer, float* bias)
    {
        var outputs = program.Layers[layer].Outputs;
        new ReadOnlySpan<float>(bias, outputs).CopyTo(new Span<float>(padded[layer], outputs));
        new Span<float>(padded[layer] + outputs, DenseProduct.Stride(outputs) - outputs).Clear();
    }

    private static long Rounded(int count) => (count + 15L) / 16 * 16;
}
