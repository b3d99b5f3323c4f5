using RealNvp.Onnx;

namespace RealNvp;

/// <summary>Normal densities as graphs of ONNX.</summary>
internal static class GaussianOnnx
{
    /// <summary>Σ log N(x; m, σ²) over the last dimension, which stays with a size of 1; all broadcast.</summary>
    public static OnnxValue LogProb(OnnxValue x, OnnxValue mean, OnnxValue logScale)
    {
        var u = (x - mean) * (-logScale).Exp();
        return (MinusHalfSquare(u) - logScale - (0.5 * Math.Log(2 * Math.PI))).Sum(-1);
    }

    /// <summary>−½ u², finite where that is a number of the dtype: u² need not be one.</summary>
    public static OnnxValue MinusHalfSquare(OnnxValue u) => u * -0.5 * u;
}
