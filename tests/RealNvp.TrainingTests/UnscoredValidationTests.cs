using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

/// <summary>Validation rows whose log-probability is minus infinity: which epoch is best, and when training stops.</summary>
[LeavesNoTensors]
public sealed class UnscoredValidationTests
{
    [Theory, InlineData(false), InlineData(true)]
    public void A_row_that_no_flow_reaches_changes_neither_the_best_epoch_nor_the_patience(bool loader)
    {
        using var scope = NewDisposeScope();
        var held = Rows(60, 9);
        var expected = Train(held);
        expected.Reason.Should().Be(StopReason.EarlyStopped);
        var result = Train(cat([held, full([2, 2], 1e25)]));
        (result.Reason, result.BestEpoch, result.WeightsEpoch, result.History.Count).Should()
            .Be((expected.Reason, expected.BestEpoch, expected.WeightsEpoch, expected.History.Count));
        result.History.Should().OnlyContain(h => double.IsPositiveInfinity(h.ValidationLoss!.Value) && h.ValidationInfiniteCount == 2);
        result.History.Select(h => h.ValidationFiniteLoss!.Value).Zip(expected.History.Select(h => h.ValidationLoss!.Value),
            (a, b) => Math.Abs(a - b)).Max().Should().BeLessThan(1e-6);
        expected.History.Should().OnlyContain(h => h.ValidationInfiniteCount == 0 && h.ValidationFiniteLoss == h.ValidationLoss);
        result.Warnings.Should().ContainSingle().Which.Should().Contain("minus infinity");

        TrainingResult Train(Tensor validation)
        {
            using var flow = new Flow([2], new DiagonalScaling([2]));
            using var trainer = new Trainer(flow, new TrainingOptions { Epochs = 200, Patience = 3, LearningRate = 0.05, BatchSize = 20 });
            return trainer.Fit(TrainingData.From(Rows(60, 1)), loader ? TrainingData.FromBatches(Batches(validation))
                : TrainingData.From(validation));
        }
    }

    [Fact]
    public void Without_any_row_that_can_be_scored_training_stops_too()
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([2], new DiagonalScaling([2]));
        using var trainer = new Trainer(flow, new TrainingOptions { Epochs = 200, Patience = 3 });
        var result = trainer.Fit(TrainingData.From(Rows(60, 1)), TrainingData.From(full([3, 2], 1e25)));
        (result.Reason, result.BestEpoch, result.History.Count).Should().Be((StopReason.EarlyStopped, 1, 4));
        result.History[0].Should().Match<EpochRecord>(h => h.ValidationInfiniteCount == 3 && h.ValidationFiniteLoss == null);
    }

    [Theory]
    [InlineData(0, 5.0, 1, 2.0, true)]
    [InlineData(1, 2.0, 0, 5.0, false)]
    [InlineData(2, 4.0, 2, 5.0, true)]
    [InlineData(2, 5.0, 2, 5.0, false)]
    [InlineData(0, 4.0, null, 5.0, true)]
    [InlineData(0, 6.0, null, 5.0, false)]
    [InlineData(3, null, 3, null, false)]
    [InlineData(1, 9.0, null, null, true)]
    public void Fewer_unscored_rows_come_first_then_the_mean_of_the_others(int? count, double? loss, int? beforeCount, double? before,
        bool better) =>
        Record(count, loss).IsBetterThan(Record(beforeCount, before)).Should().Be(better);

    // a count of null: from a file of before, which has the loss alone
    private static EpochRecord Record(int? count, double? loss) => new()
    {
        Epoch = 1, Step = 1, Loss = 0, BitsPerDim = 0, Seconds = 0, ValidationBitsPerDim = 0,
        ValidationLoss = count is null or 0 ? loss ?? double.PositiveInfinity : double.PositiveInfinity,
        ValidationInfiniteCount = count, ValidationFiniteLoss = count is null ? null : loss,
    };

    private static IEnumerable<Tensor> Batches(Tensor rows)
    {
        for (var start = 0L; start < rows.shape[0]; start += 20)
            yield return rows.narrow(0, start, Math.Min(20, rows.shape[0] - start)).alias();
    }

    private static Tensor Rows(long count, int seed)
    {
        using var generator = new Generator((ulong)seed);
        return randn([count, 2], generator: generator).mul(tensor(new[] { 0.5f, 2f }));
    }
}
