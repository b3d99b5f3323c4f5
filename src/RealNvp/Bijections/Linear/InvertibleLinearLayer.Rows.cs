using RealNvp.Kernels;
using RealNvp.Layers;
using TorchSharp;

namespace RealNvp;

/// <content>The matrix on few rows.</content>
public sealed partial class InvertibleLinearLayer : IRowLayer
{
    int[]? IRowLayer.AddRows(RowBuilder builder, int[] at, bool inverse, bool head)
    {
        if (Form != LinearForm.Lu || InputShape!.Value.Count != 1) return null;
        long d = at.Length;
        var (factors, signs) = (builder.Weight(() => lu!, d, d), builder.Weight(() => sign!, d));
        var rows = builder.Tensors.Add(() => permutation!, torch.ScalarType.Int64, d);
        builder.Add(builder.Single ? new LuRows<float>(at, factors, signs, rows) : new LuRows<double>(at, factors, signs, rows), inverse);
        return at;
    }
}
