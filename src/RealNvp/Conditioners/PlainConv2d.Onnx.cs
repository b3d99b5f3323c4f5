using RealNvp.Onnx;

namespace RealNvp;

internal sealed partial class PlainConv2d : IOnnxNetwork
{
    OnnxValue IOnnxNetwork.WriteOnnx(OnnxValue input, OnnxValue? context)
    {
        var size = weight.shape[2] / 2;
        if (border == 0 || size == 0) return input.Convolve(weight, bias, size);
        return input.Padded(size, border).Convolve(weight, bias);
    }
}
