using RealNvp.Onnx;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class HaarSqueeze : IOnnxBijection
{
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse)
    {
        var s = input.Shape;
        if (!inverse)
        {
            OnnxValue Pixel(long dy, long dx) => input.Moved(t => t.slice(2, dy, s[2], 2).slice(3, dx, s[3], 2));
            return (OnnxValue.Concat(1, Turned(Pixel(0, 0), Pixel(0, 1), Pixel(1, 0), Pixel(1, 1))), null);
        }
        var c = s[1] / 4;
        OnnxValue Band(long i) => input.Narrow(1, i * c, c);
        var pixels = OnnxValue.Concat(1, Turned(Band(0), Band(1), Band(2), Band(3)));
        return (pixels.Reshape([s[0], 2, 2, c, s[2], s[3]]).Transpose(0, 3, 4, 1, 5, 2).Reshape([s[0], c, 2 * s[2], 2 * s[3]]), null);
    }

    private static OnnxValue[] Turned(OnnxValue a, OnnxValue b, OnnxValue c, OnnxValue d)
    {
        (a, b, c, d) = (a * 0.5, b * 0.5, c * 0.5, d * 0.5);
        var (upper, lower, upperStep, lowerStep) = (a + b, c + d, a - b, c - d);
        return [upper + lower, upperStep + lowerStep, upper - lower, upperStep - lowerStep];
    }
}
