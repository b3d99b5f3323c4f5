using RealNvp.Internal;
using RealNvp.Onnx;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class InvertibleLinearLayer : IOnnxBijection
{
    // the matrix and its determinant are constants
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var matrix = inverse ? InverseMatrix() : Form switch
        {
            LinearForm.Lu => LuMath.FromLu(lu!.to(float64), permutation!, sign!),
            LinearForm.Plain => weight!.to(float64),
            LinearForm.Orthogonal => Orthogonal(reflections!.to(float64)),
            _ => Orthogonal(reflections!.to(float64)).mm(UpperOf(upper!.to(float64))),
        };
        var sum = Form switch
        {
            LinearForm.Lu => lu!.to(float64).diagonal().sum(),
            LinearForm.Plain => LogAbsDet(weight!.to(float64)),
            LinearForm.Orthogonal => null,
            _ => upper!.to(float64).diagonal().sum(),
        };
        var pixels = input.Shape.Skip(2).Aggregate(1.0, (n, s) => n * s);
        var logDet = sum is null ? null : input.Graph.Constant(sum.mul(Scalars.Of(inverse ? -pixels : pixels)).reshape(1, 1));
        return (Product(input, matrix), logDet);
    }

    private static OnnxValue Product(OnnxValue input, Tensor matrix)
    {
        if (input.Shape.Count == 2) return input.Linear(matrix);
        if (input.Type != ScalarType.Float64) return input.Convolve(matrix.unsqueeze(-1).unsqueeze(-1));
        // a product with the pixels of each image
        var flat = input.Reshape([input.Shape[0], input.Shape[1], input.Shape[2] * input.Shape[3]]);
        return input.Graph.Constant(matrix).MatMul(flat).Reshape(input.Shape);
    }
}
