using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>The map on few rows.</content>
public sealed partial class AdditiveTransformer
{
    internal override RowMap<T>? RowMap<T>(RowBuilder builder, int columns) => new RowMap<T>(new ShiftCode(), RowWeight.None);
}
