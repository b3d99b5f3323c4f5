namespace RealNvp.Onnx;

/// <summary>A network that says how its Jacobian is written as a graph of ONNX too, as a <see cref="ResidualLayer"/> with an exact
/// log-determinant needs it. Implement it in a network of yours.</summary>
public interface IOnnxJacobian : IOnnxNetwork
{
    /// <summary>Writes what the network computes of vectors in evaluation mode, and its derivatives.</summary>
    /// <param name="input">(N, D).</param>
    /// <param name="context">(N, C) for a conditional network; null for any other.</param>
    /// <returns>g(x), (N, D), and ∂g/∂x (N, D, D), whose rows are outputs; of the dtype of the input.</returns>
    (OnnxValue Value, OnnxValue Jacobian) WriteOnnxJacobian(OnnxValue input, OnnxValue? context);
}
