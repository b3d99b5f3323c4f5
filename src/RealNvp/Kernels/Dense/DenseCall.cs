using System.Runtime.Intrinsics;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Kernels;

/// <summary>One call of a network: where its numbers are, and its weights packed.</summary>
internal sealed unsafe class DenseCall
{
    /// <summary>Multiply-adds that are worth a thread of their own.</summary>
    public const double Grain = 5e5;

    /// <summary>Rows that go through all layers before the next ones: their activations stay in the second-level cache. A multiple of the rows of a tile.</summary>
    public const int Block = 96;

    private readonly float*[] weights, biases, masks;
    private readonly float* context_weight;
    private float*[] panels = [], padded = [];
    private float* context_panels;

    public DenseCall(DenseProgram program, DenseTensors tensors)
    {
        Program = program;
        Rows = checked((int)tensors.X.shape[0]);
        X = KernelMemory.Pointer<float>(tensors.X);
        XStride = (nint)tensors.X.stride(0);
        var count = program.Layers.Count;
        (weights, biases, masks) = (new float*[count], new float*[count], new float*[count]);
        for (var i = 0; i < count; i++)
        {
            weights[i] = KernelMemory.Pointer<float>(tensors.Weight(i));
            biases[i] = KernelMemory.Pointer<float>(tensors.Bias(i));
            masks[i] = tensors.Mask(i) is { } mask ? KernelMemory.Pointer<float>(mask) : null;
        }
        if (tensors.Context is not { } context) return;
        Context = KernelMemory.Pointer<float>(context);
        ContextStride = (nint)context.stride(0);
        context_weight = KernelMemory.Pointer<float>(tensors.ContextWeight!);
    }

    /// <summary>The numbers in a vector: 16, 8, or 0 where this processor has neither and plain operations serve better. Tests set it.</summary>
    public static int Lanes { get; set; } = Vector512.IsHardwareAccelerated ? 16 : Vector256.IsHardwareAccelerated ? 8 : 0;

    public DenseProgram Program { get; }

    public int Rows { get; }

    public float* X { get; }

    public nint XStride { get; }

    /// <summary>Null where there is none.</summary>
    public float* Context { get; }

    public nint ContextStride { get; }

    public float* Mask(int layer) => masks[layer];

    /// <summary>The packed weight of a layer.</summary>
    public float* Panels(int layer) => panels[layer];

    /// <summary>The bias of a layer, filled up to whole vectors; packed with <see cref="PackForward"/> only.</summary>
    public float* Bias(int layer) => padded[layer];

    /// <summary>The packed weight of the context.</summary>
    public float* ContextPanels => context_panels;

    /// <summary>The rows of a block where so many go through in blocks: as many in each, in whole tiles, so that the last one is not a small rest.</summary>
    public static int BlockOf(int rows)
    {
        var blocks = Math.Max(1, (rows + Block - 1) / Block);
        return Math.Min(Block, (rows + (blocks * DenseTile.Rows) - 1) / (blocks * DenseTile.Rows) * DenseTile.Rows);
    }

    /// <summary>Elements that packing needs.</summary>
    public long PackedSize()
    {
        var size = Context == null ? 0L : Larger(Program.Layers[0].Outputs, Program.Context);
        foreach (var layer in Program.Layers) size += Larger(layer.Outputs, layer.Inputs) + DenseProduct.Stride(layer.Outputs);
        return size;
        static long Larger(int a, int b) => ((a + 15L) / 16 * 16) * ((b + 15L) / 16 * 16);
    }

    /// <summary>Packs all weights for x·Wᵀ.</summary>
    public void PackForward(float* memory)
    {
        Place(memory);
        for (var i = 0; i < biases.Length; i++)
        {
            var outputs = Program.Layers[i].Outputs;
            new ReadOnlySpan<float>(biases[i], outputs).CopyTo(new Span<float>(padded[i], outputs));
            new Span<float>(padded[i] + outputs, DenseProduct.Stride(outputs) - outputs).Clear();
        }
        Pack(layer => layer.Outputs, (weight, mask, outputs, inputs, column, to) => DensePacking.Forward((float*)weight, (float*)mask, inputs, outputs, inputs, column, Lanes, (float*)to));
    }

    /// <summary>Packs all weights for g·W.</summary>
    public void PackBackward(float* memory)
    {
        Place(memory);
        Pack(layer => layer.Inputs, (weight, mask, outputs, inputs, column, to) => DensePacking.Backward((float*)weight, (float*)mask, outputs, inputs, column, Lanes, (float*)to));
    }

    private void Place(float* memory)
    {
        var count = weights.Length;
        (panels, padded) = (new float*[count], new float*[count]);
        for (var i = 0; i < count; i++)
        {
            var layer = Program.Layers[i];
            panels[i] = memory;
            memory += ((layer.Outputs + 15L) / 16 * 16) * ((layer.Inputs + 15L) / 16 * 16);
            padded[i] = memory;
            memory += DenseProduct.Stride(layer.Outputs);
        }
        context_panels = memory;
    }

    private void Pack(Func<DenseLayer, int> columns, Action<nint, nint, int, int, int, nint> panel)
    {
        var width = DenseTile.Vectors * Lanes;
        var work = new List<(int Layer, int Column)>();
        for (var i = 0; i < weights.Length; i++)
            for (var column = 0; column < columns(Program.Layers[i]); column += width) work.Add((i, column));
        if (Context != null)
            for (var column = 0; column < columns(new(Program.Context, Program.Layers[0].Outputs, false)); column += width) work.Add((-1, column));
        // an element costs about as much as 16 multiply-adds
        KernelThreads.For(work.Count, 16.0 * Program.Weights, Grain, (start, end) =>
        {
            for (var i = (int)start; i < end; i++)
            {
                var (layer, column) = work[i];
                if (layer < 0) panel((nint)context_weight, 0, Program.Layers[0].Outputs, Program.Context, column, (nint)context_panels);
                else panel((nint)weights[layer], (nint)masks[layer], Program.Layers[layer].Outputs, Program.Layers[layer].Inputs, column, (nint)panels[layer]);
            }
        });
    }
}
