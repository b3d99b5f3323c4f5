using static TorchSharp.torch;

namespace RealNvp.Samples.Common;

/// <summary>A detector of anomalies that was fitted to rows: gives a row a number, which is higher the more unusual the row is.</summary>
/// <remarks>
/// Common methods, written plainly from their papers to compare a density with, without any claim to speed. A detector holds no
/// tensors, and is safe for several threads.
/// </remarks>
public interface IDetector
{
    /// <summary>The scores of rows; higher is more unusual.</summary>
    /// <param name="rows">float64 (N, D) on the CPU, all finite, with as many features as the rows of the fit. It is only read.</param>
    /// <returns>N numbers.</returns>
    double[] Scores(Tensor rows);
}
