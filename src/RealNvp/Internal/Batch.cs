using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Sums over examples, and parts of a large tensor for a pass over data in bounded memory.</summary>
internal static class Batch
{
    /// <summary>The sum over all but the batch (N), which is a log-determinant
    /// if it is of the log-derivatives of an elementwise map.</summary>
    public static Tensor SumExamples(Tensor logDerivative) => logDerivative.dim() <= 1 ? logDerivative.alias()
        : logDerivative.flatten(1).sum(1);

    private const long Elements = 1 << 22;

    /// <summary>How many examples of so many elements make a part.</summary>
    public static long Size(long elementsOfAnExample) => Math.Max(256, Elements / Math.Max(1, elementsOfAnExample));

    /// <summary>The rows of a tensor in order, in parts that are views; each is disposed when the next one is asked for.</summary>
    public static IEnumerable<Tensor> Rows(Tensor x)
    {
        var (count, size) = (x.shape[0], Size(x.numel() / Math.Max(1, x.shape[0])));
        for (long start = 0; start < count; start += size)
        {
            using var part = x.narrow(0, start, Math.Min(size, count - start)).DetachFromDisposeScope();
            yield return part;
        }
    }
}
