using RealNvp.Onnx;

namespace RealNvp;

/// <summary>Parameters of transformers, and affine maps, as graphs of ONNX.</summary>
internal static class OnnxParameters
{
    /// <summary>(N, 2·C, ...) as its first and its second half.</summary>
    public static (OnnxValue First, OnnxValue Second) Halves(OnnxValue parameters)
    {
        var half = parameters.Shape[1] / 2;
        return (parameters.Narrow(1, 0, half), parameters.Narrow(1, half, half));
    }

    /// <summary>(N, P·C, ...) as (N, P, C, ...).</summary>
    public static OnnxValue Split(OnnxValue parameters, long each) =>
        parameters.Reshape([parameters.Shape[0], each, parameters.Shape[1] / each, .. parameters.Shape.Skip(2)]);

    /// <summary>y = x·exp(s) + t, or (x + t)·exp(s), and its inverse.</summary>
    public static (OnnxValue Value, OnnxValue LogDerivative) Affine(OnnxValue input, OnnxValue s, OnnxValue t, bool shiftFirst,
        bool inverse) =>
        (shiftFirst, inverse) switch
        {
            (false, false) => ((input * s.Exp()) + t, s),
            (true, false) => ((input + t) * s.Exp(), s),
            (false, true) => ((input - t) * (-s).Exp(), -s),
            _ => ((input * (-s).Exp()) - t, -s),
        };
}
