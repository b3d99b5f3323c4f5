using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>Sums over all but the batch.</summary>
internal static class ExampleSum
{
    /// <summary>The log-determinant (N) from log-derivatives (N, ...).</summary>
    public static Tensor Of(Tensor logDerivative) => logDerivative.dim() <= 1 ? logDerivative.alias() : logDerivative.flatten(1).sum(1);
}
