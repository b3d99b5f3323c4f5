using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Anomalies;

/// <summary>Rows with fresh noise in each epoch: uniform noise of a width for each column, and normal noise of a deviation for each.</summary>
/// <param name="rows">(N, D), which stay the caller's.</param>
/// <param name="widths">(D), the widths of the uniform noise.</param>
/// <param name="deviations">(D), the deviations of the normal noise.</param>
internal sealed class JitteredRows(Tensor rows, Tensor widths, Tensor deviations) : TrainingData
{
    private readonly TrainingData data = From(rows);

    public override long? Count => data.Count;

    public override long? BatchesPerEpoch(int batchSize) => data.BatchesPerEpoch(batchSize);

    public override IEnumerable<TrainingBatch> Batches(int batchSize, long seed, long skip)
    {
        var index = skip;
        foreach (var batch in data.Batches(batchSize, seed, skip))
            // a batch has the same noise if a training is resumed in the middle of an epoch
            using (batch) yield return new TrainingBatch(Owned(batch.X, seed + (index++ * 1_000_003)));
    }

    private Tensor Owned(Tensor x, long seed)
    {
        using var scope = NewDisposeScope();
        return scope.Detach(Noisy(x, widths, deviations, seed));
    }

    /// <summary>Rows with noise by a seed.</summary>
    public static Tensor Noisy(Tensor x, Tensor widths, Tensor deviations, long seed)
    {
        using var scope = NewDisposeScope();
        using var generator = RandomSource.New(seed);
        var uniform = Noise.Uniform(x.shape, x.dtype, x.device, generator, -0.5, 0.5);
        var normal = Noise.Normal(x.shape, x.dtype, x.device, generator);
        return scope.MoveToOuter(x.addcmul(uniform, widths, Scalars.One).addcmul(normal, deviations, Scalars.One));
    }
}
