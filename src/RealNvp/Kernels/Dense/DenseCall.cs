namespace RealNvp.Kernels;

/// <summary>One call of a network: where its numbers are, and its weights packed.</summary>
/// <param name="program">The network.</param>
/// <param name="rows">The number of examples.</param>
internal sealed unsafe class DenseCall(DenseProgram program, int rows)
{
    /// <summary>Multiply-adds that are worth a thread of their own.</summary>
    public const double Grain = 5e5;

    /// <summary>Rows of a block.</summary>
    public const int Block = DenseBlock.Rows;

    private DensePacked packed;

    public DenseProgram Program => program;

    public int Rows => rows;

    /// <summary>The input of the first row.</summary>
    public required float* X { get; init; }

    public required nint XStride { get; init; }

    /// <summary>Null if there is none.</summary>
    public float* Context { get; init; }

    public nint ContextStride { get; init; }

    /// <summary>The context of a row, or null.</summary>
    public float* ContextAt(int row) => Context == null ? null : Context + (row * ContextStride);

    /// <summary>(hidden, context).</summary>
    public float* ContextWeight { get; init; }

    /// <summary>(outputs, inputs) of each layer.</summary>
    public required float*[] Weights { get; init; }

    public required float*[] Biases { get; init; }

    /// <summary>The masks of the weights; null if a layer has none.</summary>
    public required float*[] Masks { get; init; }

    /// <summary>The packed weights.</summary>
    public ref readonly DensePacked Packed => ref packed;

    /// <summary>The packed weight of a layer.</summary>
    public float* Panels(int layer) => packed.Panels(layer);

    /// <summary>The packed weight of the context.</summary>
    public float* ContextPanels => packed.ContextPanels;

    /// <summary>The rows of a block where so many go through in blocks: as many in
    /// each, in whole tiles, so that the last one is not a small rest.</summary>
    public static int BlockOf(int rows)
    {
        var blocks = Math.Max(1, (rows + Block - 1) / Block);
        return Math.Min(Block, (rows + (blocks * DenseTile.Rows) - 1) / (blocks * DenseTile.Rows) * DenseTile.Rows);
    }

    /// <summary>Elements that packing needs.</summary>
    public long PackedSize() => DensePacked.Size(Program, Context != null);

    /// <summary>Packs all weights for x·Wᵀ, into memory that the thread keeps. Few rows take weights as they lie.</summary>
    public void PackForward()
    {
        if (Rows <= DensePlain.MostRows && DensePlain.IsSupported)
        {
            packed = new(Program, KernelScratch.Shared(DensePacked.BiasSize(Program)), Weights, Masks, ContextWeight);
            FillBiases();
            return;
        }
        packed = new(Program, KernelScratch.Shared(PackedSize()));
        FillBiases();
        Pack(layer => layer.Outputs, (weight, mask, outputs, inputs, column, panels, to) => DensePacking.Forward((float*)weight,
            (float*)mask, inputs, outputs, inputs, column, panels, (float*)to));
    }

    /// <summary>Packs all weights for g·W.</summary>
    public void PackBackward(float* memory)
    {
        packed = new(Program, memory);
        Pack(layer => layer.Inputs, (weight, mask, outputs, inputs, column, panels, to) => DensePacking.Backward((float*)weight,
            (float*)mask, outputs, inputs, column, panels, (float*)to));
    }

    private void FillBiases()
    {
        for (var i = 0; i < Biases.Length; i++) packed.FillBias(Program, i, Biases[i]);
    }

    private void Pack(Func<DenseLayer, int> columns, Action<nint, nint, int, int, int, DensePanels, nint> panel)
    {
        var (panels, ofContext) = (Program.Panels(LaneWidth.Floats), DensePanels.Of<float>(LaneWidth.Floats));
        var work = new List<(int Layer, int Column)>();
        for (var i = 0; i < Weights.Length; i++)
            for (var column = 0; column < columns(Program.Layers[i]); column += panels.Full) work.Add((i, column));
        if (Context != null)
            for (var column = 0; column < columns(new(Program.Context, Program.Layers[0].Outputs, false)); column += ofContext.Full)
                work.Add((-1, column));
        // an element costs about as much as 16 multiply-adds
        KernelThreads.For(work.Count, 16.0 * Program.Weights, Grain, (start, end) =>
        {
            for (var i = (int)start; i < end; i++)
            {
                var (layer, column) = work[i];
                if (layer < 0)
                    panel((nint)ContextWeight, 0, Program.Layers[0].Outputs, Program.Context, column, ofContext, (nint)ContextPanels);
                else
                    panel((nint)Weights[layer], (nint)Masks[layer], Program.Layers[layer].Outputs, Program.Layers[layer].Inputs, column,
                        panels, (nint)Panels(layer));
            }
        });
    }
}
