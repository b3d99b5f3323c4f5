using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class ProductDensity : IOnnxDensity
{
    OnnxValue IOnnxDensity.WriteOnnx(OnnxValue z, OnnxValue? context)
    {
        OnnxValue? total = null;
        for (var i = 0; i < features.Length; i++)
            total = OnnxValue.Sum(total, parts[i].ToOnnx(z.Gather(1, [.. features[i].Select(f => (long)f)]), context));
        return total!;
    }
}
