using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>Where the gradients of weights lie in the memory of a share of the rows, and how the shares become one.</summary>
internal sealed unsafe class DenseSums
{
    private readonly List<Part> parts = [];
    private readonly long[] weights, biases;

    public DenseSums(DenseProgram program, DenseGradients to)
    {
        var layers = program.Layers.Count;
        (weights, biases) = (new long[layers], new long[layers]);
        for (var i = 0; i < layers; i++)
        {
            var layer = program.Layers[i];
            weights[i] = Place(to.Weights[i], layer.Outputs, layer.Inputs, i);
            biases[i] = Place(to.Biases[i], 1, layer.Outputs, -1);
        }
        ContextWeight = Place(to.ContextWeight, program.Layers[0].Outputs, program.Context, -1);
        After = Place(to.After, 1, to.AfterCount, -1);
    }

    /// <summary>The elements of a share.</summary>
    public long Size { get; private set; }

    public long ContextWeight { get; }

    public long After { get; }

    public long Weight(int layer) => weights[layer];

    public long Bias(int layer) => biases[layer];

    /// <summary>Adds all shares in their order, and writes the gradients; those of a masked weight are masked.</summary>
    public void Add(DenseCall call, float* sums, int shares)
    {
        var rows = 0L;
        var elements = 0L;
        foreach (var part in parts)
        {
            rows += part.Rows;
            elements += (long)part.Rows * part.Columns;
        }
        // to read an element of a share costs about as much as four multiply-adds
        KernelThreads.For(rows, 4.0 * elements * shares, DenseCall.Grain, (start, end) =>
        {
            var first = 0L;
            foreach (var part in parts)
            {
                var mask = part.Layer < 0 ? null : call.Masks[part.Layer];
                for (var row = Math.Max(0, start - first); row < Math.Min(part.Rows, end - first); row++)
                {
                    float* from = sums + part.At + (row * part.Stride), to = (float*)part.To + (row * part.Columns), by = mask == null
                        ? null : mask + (row * part.Columns);
                    if (LaneWidth.Floats == 16) Row<Lanes512<float>>(from, shares, to, by, part.Columns);
                    else Row<Lanes256<float>>(from, shares, to, by, part.Columns);
                }
                first += part.Rows;
            }
        });
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Row<TLanes>(float* from, int shares, float* to, float* mask, int columns) where TLanes : struct, ILanes<TLanes, float>
    {
        var i = 0;
        for (; i <= columns - TLanes.Count; i += TLanes.Count)
        {
            var sum = TLanes.Load(from + i);
            for (var share = 1; share < shares; share++) sum += TLanes.Load(from + (share * Size) + i);
            TLanes.Store(mask == null ? sum : sum * TLanes.Load(mask + i), to + i);
        }
        for (; i < columns; i++)
        {
            var sum = from[i];
            for (var share = 1; share < shares; share++) sum += from[(share * Size) + i];
            to[i] = mask == null ? sum : sum * mask[i];
        }
    }

    private long Place(float* to, int rows, int columns, int layer)
    {
        if (to == null) return -1;
        var part = new Part((nint)to, rows, columns, DenseProduct.Stride(columns), Size, layer);
        parts.Add(part);
        Size += (long)rows * part.Stride;
        return part.At;
    }

    private readonly record struct Part(nint To, int Rows, int Columns, int Stride, long At, int Layer);
}
