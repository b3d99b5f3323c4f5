using RealNvp.Onnx;
using TorchSharp;

namespace RealNvp;

internal sealed partial class ImportedSpline : IOnnxTransformer
{
    // in float64, as the spline itself: sizes of bins are differences of numbers close to each other
    (OnnxValue Value, OnnxValue? LogDerivative) IOnnxTransformer.WriteOnnx(OnnxValue input, OnnxValue parameters, bool inverse)
    {
        var count = parameters.Shape[1] / ParametersPerElement;
        var theirs = parameters.To(torch.ScalarType.Float64);
        var (bins, rest) = (spline.Bins, ParametersPerElement - (2 * spline.Bins));
        // rows of all channels, one parameter after the other
        OnnxValue Part(int from, int length) => theirs.Narrow(1, from * count, length * count)
            .Reshape([parameters.Shape[0], length, count, .. parameters.Shape.Skip(2)]);
        var (widths, heights, slopes) = (Part(0, bins), Part(bins, bins), Part(2 * bins, rest));
        OnnxValue wanted;
        if (slope is { } least)
        {
            (widths, heights) = (Floored(widths, least), Floored(heights, least));
            wanted = ScaleShiftTransformer.SoftClip(slopes, Math.Log(least)).Exp() - spline.SmallestDerivative;
        }
        else wanted = slopes.Softplus();
        wanted = wanted.AtLeast(Least);
        var d = wanted + ((-(wanted * -steepness).ExpM1()).Log() / steepness);
        var ours = OnnxValue.Concat(1, widths, heights, d).Reshape(parameters.Shape);
        var dtype = input.Type;
        var (value, log) = ((IOnnxTransformer)spline).WriteOnnx(input.To(torch.ScalarType.Float64), ours, inverse);
        return (value.To(dtype), log?.To(dtype));
    }

    private OnnxValue Floored(OnnxValue sizes, double least) =>
        (ScaleShiftTransformer.SoftClip(sizes, Math.Log(least) / 2).Softmax(1) - spline.SmallestBin).AtLeast(Least).Log();
}
