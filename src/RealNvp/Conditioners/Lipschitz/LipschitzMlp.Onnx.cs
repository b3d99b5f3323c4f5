using RealNvp.Onnx;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class LipschitzMlp : IOnnxJacobian
{
    OnnxValue IOnnxNetwork.WriteOnnx(OnnxValue input, OnnxValue? context) =>
        ((IOnnxJacobian)this).WriteOnnxJacobian(input, context).Value;

    // tangents of the D unit vectors go through the same products as the value
    (OnnxValue Value, OnnxValue Jacobian) IOnnxJacobian.WriteOnnxJacobian(OnnxValue input, OnnxValue? given)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        OnnxValue Constant(Tensor t) => input.Graph.Constant(t, input.Type);
        var (value, tangents) = (input, Constant(eye(input.Shape[1], dtype: float64).unsqueeze(0)));
        if (limit is { } c)
        {
            var u = value * (1 / c);
            var below = (u * u) + 1;
            (value, tangents) = (value.Limited(limit), tangents / (below * below.Sqrt()).Unsqueeze(1));
        }
        for (var i = 0; i < all.Length; i++)
        {
            if (own[i] is { } activation)
            {
                (value, var slope) = activation.WriteOnnx(value);
                if (activation.Outputs > 1) tangents = OnnxValue.Concat(2, [.. Enumerable.Repeat(tangents, activation.Outputs)]);
                tangents *= slope.Unsqueeze(1);
            }
            var weight = all[i].Normalized(isStep: false);
            value = value.Linear(weight, all[i].Bias);
            if (i == 0 && context is not null && given is not null)
                value += given.To(input.Type).Limited(limit).Linear(context.weight!);
            tangents = tangents.MatMul(Constant(weight.t()));
        }
        return (value, tangents.Transpose(0, 2, 1));
    }
}
