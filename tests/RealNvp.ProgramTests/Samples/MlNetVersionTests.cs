using Microsoft.ML;
using RealNvp.ML.Scoring;

namespace RealNvp.Tests.Samples;

/// <summary>What the package takes from ML.NET beside its public surface, and what is said if a version has it no more.</summary>
public class MlNetVersionTests
{
    [Fact]
    public void This_version_says_which_context_a_catalog_is_of_and_trains_models_of_weight_one()
    {
        var context = new MLContext(seed: 1);
        CatalogEnvironment.Of(context.AnomalyDetection.Trainers).Should().NotBeNull();
        SavedChain.Require();
    }

    [Fact]
    public void Another_version_is_named_with_the_way_out()
    {
        FluentActions.Invoking(() => CatalogEnvironment.Of(new object())).Should().Throw<NotSupportedException>()
            .WithMessage("Microsoft.ML 5.*MLContext*new NormalizingFlowTrainer(mlContext, ...)*");
        SavedChain.CheckTaking([0, 1], 0, place: 1, width: 2);
        foreach (var (weights, bias) in new[] { (new float[] { 0, 0.99f }, 0f), ([1, 0], 0), ([0, 1], 0.01f), ([0, 1, 0], 0) })
            FluentActions.Invoking(() => SavedChain.CheckTaking(weights, bias, place: 1, width: 2)).Should()
                .Throw<NotSupportedException>().WithMessage("Microsoft.ML 5.*version 5.0*");
    }
}
