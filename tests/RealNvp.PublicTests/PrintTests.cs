using System.Globalization;

namespace RealNvp.PublicTests;

/// <summary>What a user sees who prints a result.</summary>
public sealed class PrintTests
{
    [Fact]
    public void Results_that_are_printed_show_their_numbers_and_warnings_in_words()
    {
        var evaluation = new Evaluation
        {
            Count = 1000, MeanLogProb = double.NegativeInfinity, StandardError = double.NaN, BitsPerDim = double.PositiveInfinity,
                Likelihood = Likelihood.LowerBound,
            FiniteCount = 999, FiniteMeanLogProb = -1.5, RoundTripError = 1e-6, Warnings = ["Look here."],
        };
        var progress = new TrainingProgress
        {
            Epoch = 2, Epochs = 5, Batch = 3, Batches = 8, Step = 11, Loss = 1.5, BitsPerDim = null, ValidationLoss = 1.25,
                ValidationBitsPerDim = null, LearningRate = 1e-3,
            GradientNorm = 1, ExamplesPerSecond = 1000, TimeLeft = TimeSpan.FromSeconds(12), Warnings = ["Look there."],
        };
        var culture = CultureInfo.CurrentCulture;
        try
        {
            var german = (CultureInfo)CultureInfo.InvariantCulture.Clone();
            (german.NumberFormat.NumberDecimalSeparator, german.NumberFormat.NumberGroupSeparator) = (",", ".");
            CultureInfo.CurrentCulture = german;
            Assert.Equal("Mean log p(x) of 1,000 examples, a lower bound: -Infinity nats, Infinity bits per dimension; finite for 999, " +
                "whose mean is -1.5; x → z → x to 1E-06.\nLook here.", evaluation.ToString());
            Assert.Equal("Mean log p(x) of 1 example: -2.5 nats, 1.25 bits per dimension.",
                new Evaluation { Count = 1, MeanLogProb = -2.5, StandardError = double.NaN, BitsPerDim = 1.25,
                    Likelihood = Likelihood.Exact,
                    FiniteCount = 1, FiniteMeanLogProb = -2.5 }.ToString());
            Assert.Equal("Epoch 2 of 5, batch 3 of 8: loss 1.5, validation 1.25, 1,000 examples/s, 12 s left.\nLook there.",
                progress.ToString());
        }
        finally
        {
            CultureInfo.CurrentCulture = culture;
        }
    }
}
