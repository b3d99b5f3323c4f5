namespace RealNvp.Kernels;

/// <summary>Where the numbers of a layer of dynamics lie; null if the layer has none.</summary>
internal unsafe struct DynamicsNumbers<T> where T : unmanaged
{
    /// <summary>W (O, I).</summary>
    public T* Weight;

    /// <summary>b (O).</summary>
    public T* Bias;

    /// <summary>g (O) and g₀ (O).</summary>
    public T* Gate, GateBias;

    /// <summary>S (O, K).</summary>
    public T* Shift;

    /// <summary>What the context of each row adds to gate and shift, (N, O).</summary>
    public T* GateOffset, ShiftOffset;

    /// <summary>W in panels for products with it, and with its transpose.</summary>
    public T* Panels, Transposed;
}

/// <summary>A velocity of dynamics, with the memory of its weights.</summary>
/// <param name="program">The network.</param>
/// <param name="divergence">How its divergence is had.</param>
internal sealed unsafe class DynamicsCall<T>(DynamicsProgram program, DynamicsDivergence divergence) where T : unmanaged
{
    public DynamicsProgram Program => program;

    public DynamicsDivergence Divergence => divergence;

    public DynamicsNumbers<T>[] Layers { get; } = new DynamicsNumbers<T>[program.Layers.Length];

    /// <summary>B of <see cref="DynamicsDivergence.Joined"/>, (O of the second layer, O of the first one), and its panels.</summary>
    public T* Joined, JoinedPanels;

    /// <summary>M, the numbers of a row: those of x, and the log-determinant if it is wanted.</summary>
    public int Width => program.Features + (divergence == DynamicsDivergence.None ? 0 : 1);

    /// <summary>The directions that go through the products.</summary>
    public int Tangents => divergence == DynamicsDivergence.Tangents ? program.Features : 0;

    /// <summary>The multiply-adds of a row and an evaluation.</summary>
    public double Work => program.Weights * (1.0 + Tangents);

    /// <summary>The elements of all panels.</summary>
    public long PanelSize(bool transposed)
    {
        var size = divergence == DynamicsDivergence.Joined
            ? LaneProduct.PanelSize(program.Layers[1].Outputs, program.Layers[0].Outputs) : 0;
        foreach (var layer in program.Layers)
            size += LaneProduct.PanelSize(layer.Outputs, layer.Inputs) + (transposed ? LaneProduct.PanelSize(layer.Inputs, layer.Outputs)
                : 0);
        return size;
    }

    /// <summary>Copies all weights into panels.</summary>
    public void Pack(T* memory, bool transposed)
    {
        for (var i = 0; i < Layers.Length; i++)
        {
            var layer = program.Layers[i];
            ref var numbers = ref Layers[i];
            numbers.Panels = memory;
            LaneProduct.Pack(numbers.Weight, layer.Inputs, 1, layer.Outputs, layer.Inputs, memory);
            memory += LaneProduct.PanelSize(layer.Outputs, layer.Inputs);
            if (!transposed) continue;
            numbers.Transposed = memory;
            LaneProduct.Pack(numbers.Weight, 1, layer.Inputs, layer.Inputs, layer.Outputs, memory);
            memory += LaneProduct.PanelSize(layer.Inputs, layer.Outputs);
        }
        if (divergence != DynamicsDivergence.Joined) return;
        JoinedPanels = memory;
        LaneProduct.Pack(Joined, program.Layers[0].Outputs, 1, program.Layers[1].Outputs, program.Layers[0].Outputs, memory);
    }
}
