using Microsoft.Extensions.Logging;
using RealNvp.Extensions;
using static TorchSharp.torch;

namespace RealNvp.PublicTests.Extensions;

public class TrainingLogTests
{
    [Fact]
    public void Each_epoch_is_an_entry_with_its_numbers_by_name_and_the_end_is_one()
    {
        var logger = new ListLogger();
        var result = Train(new TrainingLog(logger));

        logger.Lines.Should().HaveCount(4);
        for (var epoch = 1; epoch <= 3; epoch++)
        {
            logger.Lines[epoch - 1].Should().StartWith($"Information: Epoch {epoch} of 3, step {epoch * 3}: loss ");
            var state = logger.States[epoch - 1];
            state["Epoch"].Should().Be(epoch);
            state["Loss"].Should().Be(result.History[epoch - 1].Loss);
            state["ValidationLoss"].Should().Be(result.History[epoch - 1].ValidationLoss!.Value.ToString("G6",
                System.Globalization.CultureInfo.InvariantCulture));
        }
        logger.Lines[3].Should().StartWith("Information: Training ended (Finished) at step 9").And.Contain("Finished after 3 epochs");
        logger.States[3]["Reason"].Should().Be(StopReason.Finished);
    }

    [Fact]
    public void Steps_are_for_those_who_debug_and_warnings_come_once()
    {
        var logger = new ListLogger(LogLevel.Debug);
        Train(new TrainingLog(logger, TimeSpan.Zero), outlier: 1e7f);
        logger.Lines.Count(l => l.StartsWith("Debug: Epoch", StringComparison.Ordinal)).Should().Be(9);
        logger.Lines.Where(l => l.StartsWith("Warning: ", StringComparison.Ordinal)).Should().NotBeEmpty().And.OnlyHaveUniqueItems();

        var quiet = new ListLogger(LogLevel.Debug);
        Train(new TrainingLog(quiet, TimeSpan.FromHours(1)));
        quiet.Lines.Should().NotContain(l => l.StartsWith("Debug", StringComparison.Ordinal));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TrainingLog(quiet, TimeSpan.FromSeconds(-1)));
    }

    private static TrainingResult Train(TrainingLog log, float outlier = 0)
    {
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(2), seed: 0);
        using var x = randn(100, 2);
        if (outlier > 0) x[3, 1] = outlier;
        using var trainer = new Trainer(flow, new TrainingOptions { Epochs = 3, BatchSize = 30, ValidationFraction = 0.1 });
        var result = trainer.Fit(TrainingData.From(x), progress: log);
        log.Write(result);
        return result;
    }
}
