using RealNvp.Layers;

namespace RealNvp;

/// <content>The fold over the steps that makes a plan for few rows.</content>
public abstract partial class Composite : IRowLayer
{
    int[]? IRowLayer.AddRows(RowBuilder builder, int[] at, bool inverse, bool head)
    {
        int[][]? parts = [at];
        foreach (var group in Plan.InOrder(inverse))
        {
            if (group.Move is { } move)
            {
                parts = builder.Moved(parts, tensors => move.Move(tensors, inverse));
                if (parts is null) return null;
                continue;
            }
            if (group.Part >= parts.Length) return null;
            foreach (var layer in group.InOrder(inverse))
            {
                if (builder.Through(layer, parts[group.Part], group.IsInverse != inverse, head && ConvertsDtype) is not { } to) return null;
                parts[group.Part] = to;
            }
        }
        return parts is [var only] ? only : null;
    }
}
