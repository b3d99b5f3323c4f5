using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Kernels;

/// <summary>One call of a fused layer: where its numbers are.</summary>
internal sealed unsafe class CouplingCall
{
    private readonly float[] weight;

    /// <param name="plan">The layer.</param>
    /// <param name="all">The tensors of the network, the first of them the whole input; then the weight of the map, where it has one.</param>
    /// <param name="hasContext">Whether there is a context.</param>
    /// <param name="inverse">The direction.</param>
    public CouplingCall(CouplingPlan plan, IReadOnlyList<Tensor> all, bool hasContext, bool inverse)
    {
        (Plan, Inverse) = (plan, inverse);
        HasWeight = plan.Map.Weight is not null;
        Tensors = new DenseTensors(plan.Program, HasWeight ? [.. all.Take(all.Count - 1)] : all, hasContext);
        Net = Tensors.Call();
        weight = new float[HasWeight ? Columns : 0];
        if (!HasWeight) return;
        var given = new ReadOnlySpan<float>(KernelMemory.Pointer<float>(all[^1]), (int)all[^1].numel());
        for (var i = 0; i < weight.Length; i++) weight[i] = Math.Clamp(given[given.Length == 1 ? 0 : i], -plan.Map.MaxWeight, plan.Map.MaxWeight);
    }

    public CouplingPlan Plan { get; }

    public bool Inverse { get; }

    /// <summary>The network. Its input is that of the layer.</summary>
    public DenseCall Net { get; }

    public DenseTensors Tensors { get; }

    public bool HasWeight { get; }

    /// <summary>How many features change.</summary>
    public int Columns => Plan.ChangedAt.Length;

    /// <summary>The weight of the map, one number a column.</summary>
    public ReadOnlySpan<float> Weight => weight;

    public double Work => Net.Rows * (Net.Program.Weights + (Columns * Plan.Map.Cost));

    /// <summary>Copies some columns of rows of a matrix side by side.</summary>
    public static void Gather(float* from, nint fromStride, int[] at, float* to, nint toStride, int rows)
    {
        for (var row = 0; row < rows; row++, from += fromStride, to += toStride)
            for (var i = 0; i < at.Length; i++) to[i] = from[at[i]];
    }
}
