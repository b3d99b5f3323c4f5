using RealNvp.Internal;
using RealNvp.Onnx;

namespace RealNvp;

/// <summary>Elements on circles in a graph of ONNX.</summary>
internal static class CircleElementsOnnx
{
    /// <summary>The elements on their circles, the others as they are.</summary>
    public static OnnxValue Wrapped(CircleElements elements, OnnxValue x)
    {
        var turned = x.Wrapped(elements.Circles[0].Low, elements.Circles[0].High);
        return elements.Among is { } among ? x.Graph.Constant(among).Where(turned, x) : turned;
    }
}
