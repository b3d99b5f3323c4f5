namespace RealNvp.Kernels;

/// <summary>Where the weights of a network are for tiles: one packed matrix a layer, its bias filled up to whole vectors, and the weight of
/// the context. The memory is somebody else's.</summary>
/// <remarks>
/// For few rows nothing is packed: <see cref="DensePlain"/> reads each weight once, as it lies. The results have the same bits.
/// </remarks>
internal readonly unsafe struct DensePacked
{
    private readonly float*[] panels, padded;
    private readonly float*[]? weights, masks;
    private readonly float* contextWeight;

    /// <summary>Places packed matrices one after the other; nothing is written.</summary>
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

    /// <summary>Weights as they lie, for at most <see cref="DensePlain.MostRows"/> rows.</summary>
    /// <param name="program">The network.</param>
    /// <param name="memory">Room for <see cref="BiasSize"/> numbers.</param>
    /// <param name="weights">(outputs, inputs) of each layer.</param>
    /// <param name="masks">The masks of the weights; null in place of ones.</param>
    /// <param name="contextWeight">(outputs of the first layer, context), if there is a context.</param>
    public DensePacked(DenseProgram program, float* memory, float*[] weights, float*[] masks, float* contextWeight)
    {
        this.weights = weights;
        this.masks = masks;
        this.contextWeight = contextWeight;
        (panels, padded) = ([], new float*[program.Layers.Count]);
        for (var i = 0; i < padded.Length; i++)
        {
            padded[i] = memory;
            memory += DenseProduct.Stride(program.Layers[i].Outputs);
        }
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

    /// <summary>Elements that the biases alone need.</summary>
    public static long BiasSize(DenseProgram program)
    {
        var size = 0L;
        foreach (var layer in program.Layers) size += DenseProduct.Stride(layer.Outputs);
        return size;
    }

    /// <summary>Copies the bias of a layer.</summary>
    public void FillBias(DenseProgram program, int layer, float* bias)
    {
        var outputs = program.Layers[layer].Outputs;
        new ReadOnlySpan<float>(bias, outputs).CopyTo(new Span<float>(padded[layer], outputs));
        new Span<float>(padded[layer] + outputs, DenseProduct.Stride(outputs) - outputs).Clear();
    }

    /// <summary>x·Wᵀ of a layer.</summary>
    public void Multiply<TLanes>(DenseProgram program, int layer, float* x, nint xStride, int rows, DenseFinish<float> finish)
        where TLanes : struct, ILanes<TLanes, float>
    {
        var (inputs, outputs) = (program.Layers[layer].Inputs, program.Layers[layer].Outputs);
        var seen = program.Bands?[layer].InputsOf;
        if (weights is null)
            DenseProduct.Multiply<TLanes, float>(x, xStride, 1, panels[layer], 0, rows, outputs, inputs, finish, seen);
        else
            DensePlain.Multiply(x, xStride, weights[layer], masks![layer], rows, outputs, inputs, DenseTile.Vectors * TLanes.Count, finish,
                seen);
    }

    /// <summary>The context times its weight.</summary>
    public void MultiplyContext<TLanes>(DenseProgram program, float* context, nint stride, int rows, DenseFinish<float> finish)
        where TLanes : struct, ILanes<TLanes, float>
    {
        if (weights is null)
            DenseProduct.Multiply<TLanes, float>(context, stride, 1, ContextPanels, 0, rows, program.Layers[0].Outputs, program.Context,
                finish);
        else
            DensePlain.Multiply(context, stride, contextWeight, null, rows, program.Layers[0].Outputs, program.Context,
                DenseTile.Vectors * TLanes.Count, finish, null);
    }

    private static long Rounded(int count) => (count + 15L) / 16 * 16;
}
