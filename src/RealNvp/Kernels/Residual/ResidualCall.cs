using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>One call of a residual network: where its numbers are, and its weights packed.</summary>
/// <param name="program">The network.</param>
/// <param name="rows">The number of examples.</param>
/// <param name="tangents">The directions that go through with each: D for a Jacobian, or 0.</param>
internal sealed unsafe class ResidualCall<T>(ResidualProgram program, int rows, int tangents)
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Multiply-adds that are worth a thread of their own.</summary>
    public const double Grain = 2e5;

    // rows of a product that go through all layers before the next ones: whole tiles, whose activations stay in the second-level cache
    private const int MostRows = 96;

    private readonly T*[] panels = new T*[program.Steps.Length];

    public ResidualProgram Program => program;

    public int Rows => rows;

    public int Tangents => tangents;

    /// <summary>(rows, D), contiguous.</summary>
    public required T* X { get; init; }

    /// <summary>(rows, outputs of the first layer): what is added to its result; or null.</summary>
    public T* Shift { get; init; }

    public required T*[] Weights { get; init; }

    public required T*[] Biases { get; init; }

    /// <summary>What each weight is multiplied by.</summary>
    public required double[] Scales { get; init; }

    /// <summary>β before each layer, if there is one.</summary>
    public required double[] Betas { get; init; }

    /// <summary>The examples of a block: as many in each, in whole tiles, but for the last one, which may have fewer.</summary>
    public int BlockRows { get; } = RowsOf(rows, Math.Max(1, MostRows / (1 + tangents)), tangents == 0 ? DenseTile.Rows : 1);

    public int Blocks => (rows + BlockRows - 1) / BlockRows;

    // an even number of blocks: two threads then have as many rows each
    private static int RowsOf(int rows, int most, int unit)
    {
        var blocks = Math.Max(1, (rows + most - 1) / most);
        if (blocks > 1) blocks += blocks % 2;
        return Math.Min(most, (rows + (blocks * unit) - 1) / (blocks * unit) * unit);
    }

    /// <summary>Multiply-adds of all.</summary>
    public double Work => (double)rows * (1 + tangents) * program.Weights;

    /// <summary>Elements of a matrix of a block.</summary>
    public long BufferSize => (long)BlockRows * (1 + tangents) * DenseProduct.Stride(Math.Max(program.Widest, program.Features));

    /// <summary>Elements of the tape of all rows.</summary>
    public long TapeSize => rows * (1L + tangents) * program.TapeWidth;

    /// <summary>The packed weight of a layer.</summary>
    public T* Panels(int layer) => panels[layer];

    /// <summary>Elements that packing needs: weights, and a copy of each that is multiplied.</summary>
    public long PackedSize => 2 * program.Steps.Sum(s => ((s.Outputs + 15L) / 16 * 16) * ((s.Inputs + 15L) / 16 * 16));

    /// <summary>Packs all weights, for x·Wᵀ or for g·W.</summary>
    public void Pack(T* memory, bool backward)
    {
        var cut = DensePanels.Of<T>(LaneWidth.Count<T>());
        for (var i = 0; i < panels.Length; i++)
        {
            panels[i] = memory;
            memory += 2 * ((program.Steps[i].Outputs + 15L) / 16 * 16) * ((program.Steps[i].Inputs + 15L) / 16 * 16);
        }
        // an element costs about as much as 16 multiply-adds
        KernelThreads.For(panels.Length, 16 * program.Weights, Grain, (start, end) =>
        {
            for (var i = (int)start; i < end; i++)
            {
                var step = program.Steps[i];
                var weight = Weights[i];
                if (Scales[i] != 1)
                {
                    var scaled = panels[i] + (((step.Outputs + 15L) / 16 * 16) * ((step.Inputs + 15L) / 16 * 16));
                    ResidualVectors.Scale(weight, Scales[i], scaled, (long)step.Outputs * step.Inputs);
                    weight = scaled;
                }
                if (backward) DensePacking.Backward(weight, null, step.Inputs, step.Outputs, step.Inputs, cut, panels[i]);
                else DensePacking.Forward(weight, null, step.Inputs, step.Outputs, step.Inputs, cut, panels[i]);
            }
        });
    }
}
