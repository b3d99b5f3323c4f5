using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Anomalies;

/// <summary>Rows as a member of a detector is trained on: each epoch with fresh uniform noise of a width for each column, whitened,
/// and with normal noise.</summary>
/// <param name="rows">float64 (N, D) on the CPU, which stay the caller's.</param>
/// <param name="widths">(1, D), the widths of the uniform noise; 0 for none.</param>
/// <param name="deviations">(1, D), the deviations of the normal noise, behind the whitening; 0 for none.</param>
/// <param name="whitening">Null for none.</param>
internal sealed class NoisyRows(Tensor rows, Tensor widths, Tensor deviations, Whitening? whitening) : TrainingData
{
    private const long MostFitted = 1 << 16;

    private readonly TrainingData data = From(rows);

    public override long? Count => data.Count;

    public override long? BatchesPerEpoch(int batchSize) => data.BatchesPerEpoch(batchSize);

    /// <summary>Some rows are enough for a mean and a deviation: the rows are in random order, and a pass over a million of them would
    /// take longer than the training may.</summary>
    public override IEnumerable<TrainingBatch> InOrder()
    {
        long seen = 0;
        foreach (var batch in base.InOrder())
        {
            seen += batch.X.shape[0];
            yield return batch;
            if (seen >= MostFitted) yield break;
        }
    }

    public override IEnumerable<TrainingBatch> Batches(int batchSize, long seed, long skip)
    {
        var index = skip;
        foreach (var batch in data.Batches(batchSize, seed, skip))
            // a batch has the same noise if a training is resumed in the middle of an epoch
            using (batch) yield return new TrainingBatch(Noisy(batch.X, seed + (index++ * 1_000_003)).DetachFromDisposeScope());
    }

    /// <summary>All rows several times, with noise by a seed: what a training is validated on.</summary>
    public Tensor Repeated(int times, long seed) => Noisy(rows.repeat([times, 1]), seed);

    private Tensor Noisy(Tensor x, long seed)
    {
        using var scope = NewDisposeScope();
        using var generator = RandomSource.New(seed);
        x = x.addcmul(Noise.Uniform(x.shape, x.dtype, x.device, generator, -0.5, 0.5), widths, Scalars.One);
        if (whitening is not null) x = whitening.Apply(x);
        return scope.MoveToOuter(x.addcmul(Noise.Normal(x.shape, x.dtype, x.device, generator), deviations, Scalars.One));
    }
}
