using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>The network on few rows.</content>
public sealed partial class Made
{
    /// <summary>What the network is, and its weights in a plan; null if a plan does not know it.</summary>
    internal (MadeShape Shape, NetworkWeights Weights)? RowShape(RowBuilder builder)
    {
        if (!FinalActivation) return null;
        var shape = new MadeShape(dense.Program, Array.ConvertAll(OrderOf(positions), i => (int)i), Array.ConvertAll(ends, i => (int)i),
            (int)ParametersPerFeature, dense.Limit ?? 0);
        return (shape, dense.RowWeights(builder, this));
    }
}
