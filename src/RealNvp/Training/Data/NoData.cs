namespace RealNvp;

/// <summary>Batches of nothing, for an objective that draws its examples.</summary>
internal sealed class NoData(long stepsPerEpoch) : TrainingData
{
    private readonly long steps = Require.AtLeast(1, stepsPerEpoch, nameof(stepsPerEpoch));

    public override long? Count => 0;

    public override bool HasExamples => false;

    public override long? BatchesPerEpoch(int batchSize) => steps;

    public override IEnumerable<TrainingBatch> Batches(int batchSize, long seed, long skip)
    {
        for (var step = skip; step < steps; step++) yield return new TrainingBatch(null);
    }
}
