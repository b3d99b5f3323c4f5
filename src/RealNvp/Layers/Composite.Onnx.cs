using RealNvp.Onnx;

namespace RealNvp;

/// <content>The fold over the steps that writes them as a graph of ONNX.</content>
public abstract partial class Composite : IOnnxBijection
{
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse)
    {
        IReadOnlyList<OnnxValue> parts = [input];
        OnnxValue? total = null;
        foreach (var group in Plan.InOrder(inverse))
        {
            if (group.Move is { } move)
            {
                parts = OnnxValue.Moved(parts, tensors => move.Move(tensors, inverse));
                continue;
            }
            OnnxValue[] all = [.. parts];
            foreach (var layer in group.InOrder(inverse))
            {
                (all[group.Part], var logDet) = layer.ToOnnx(all[group.Part], context, group.IsInverse != inverse);
                total = OnnxValue.Sum(total, logDet);
            }
            parts = all;
        }
        return (parts is [var only] ? only : throw new InvalidOperationException(
            $"The steps of {GetName()} leave {parts.Count} parts; a last rearrangement must join them into one."), total);
    }
}
