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

    /// <summary>Steps of a panel that are packed in one piece.</summary>
    private const int PackedAtOnce = 64;

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
        Pack(backward: false);
    }

    /// <summary>Packs all weights for g·W.</summary>
    public void PackBackward(float* memory)
    {
        packed = new(Program, memory);
        Pack(backward: true);
    }

    private void FillBiases()
    {
        for (var i = 0; i < Biases.Length; i++) packed.FillBias(Program, i, Biases[i]);
    }

    // pieces of about one size, so that all threads have as much to do; an element costs about as much as 16 multiply-adds
    private void Pack(bool backward)
    {
        var pieces = 0;
        for (var i = FirstPacked; i < Weights.Length; i++)
        {
            var (layer, panels) = Packing(i);
            var (columns, steps) = Sides(layer, backward);
            pieces += (columns + panels.Full - 1) / panels.Full * ((steps + PackedAtOnce - 1) / PackedAtOnce);
        }
        KernelThreads.For(pieces, 16.0 * Program.Weights, Grain, (start, end) => Pack(backward, start, end));
    }

    private void Pack(bool backward, long start, long end)
    {
        var piece = 0L;
        for (var i = FirstPacked; i < Weights.Length; i++)
        {
            var (layer, panels) = Packing(i);
            var (columns, steps) = Sides(layer, backward);
            float* weight = i < 0 ? ContextWeight : Weights[i], mask = i < 0 ? null : Masks[i], to = i < 0 ? ContextPanels : Panels(i);
            for (var column = 0; column < columns; column += panels.Full)
                for (var first = 0; first < steps; first += PackedAtOnce, piece++)
                {
                    if (piece < start || piece >= end) continue;
                    var last = Math.Min(first + PackedAtOnce, steps);
                    if (backward)
                        DensePacking.Backward(weight, mask, layer.Inputs, layer.Outputs, layer.Inputs, column, first, last, panels, to);
                    else DensePacking.Forward(weight, mask, layer.Inputs, layer.Outputs, layer.Inputs, column, first, last, panels, to);
                }
        }
    }

    // the weight of the context comes before those of the layers
    private int FirstPacked => Context == null ? 0 : -1;

    private (DenseLayer Layer, DensePanels Panels) Packing(int i) => i < 0
        ? (new(Program.Context, Program.Layers[0].Outputs, false), DensePanels.Of<float>(LaneWidth.Floats))
        : (Program.Layers[i], Program.Panels(LaneWidth.Floats));

    private static (int Columns, int Steps) Sides(DenseLayer layer, bool backward) =>
        backward ? (layer.Inputs, layer.Outputs) : (layer.Outputs, layer.Inputs);
}
