using RealNvp.Internal;
using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>What the network reads of few rows.</content>
public sealed partial class CircularInput : IRowConditioner
{
    (RowReading Reading, RowNetwork<T> Network)? IRowConditioner.Rows<T>(RowBuilder builder, int[] at)
    {
        if (network is not IRowConditioner inner || inner.Rows<T>(builder, at) is not var (plainReading, inside)) return null;
        var hooks = ModuleHooks.Of(this);
        builder.Tensors.Require(() => !ModuleHooks.Any(hooks));
        if (CircularInputs.Count == 0) return (plainReading, inside);
        int[] circles = [.. CircularInputs.Select(c => c.Feature)];
        return (new RowReading([.. Enumerable.Range(0, at.Length).Except(circles).Select(i => at[i])],
            [.. circles.Select(i => at[i])], CircularInputs[0].Low, CircularInputs[0].High), inside);
    }
}
