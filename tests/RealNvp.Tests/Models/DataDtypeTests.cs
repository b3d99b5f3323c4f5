using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Models;

/// <summary>Data and contexts may have another floating-point dtype than the weights,
/// at every entry point, and lose no digits before they are standardized.</summary>
public class DataDtypeTests
{
    private static readonly TrainingOptions brief = new() { Epochs = 1, LearningRate = 1e-12, ValidationFraction = 0 };

    public static TheoryData<string> Continuous => [.. PresetTable.All.Where(p => p.Value.Levels == 0).Select(p => p.Key)];

    [Theory, MemberData(nameof(Continuous))]
    public void Every_entry_point_converts_alike(string name)
    {
        var options = PresetTable.All[name];
        foreach (var (weights, data) in new[] { (float32, float64), (float64, float32) })
            foreach (var held in new[] { 0, 0.25 })
            {
                using var scope = NewDisposeScope();
                manual_seed(1);
                using var model = options.NewModel();
                RandomWeights.Draw(model, 2, 0.05);
                model.to(weights);
                // numbers that both dtypes hold
                var x = PresetTable.Examples(options, 40).to(float32).to(data);
                var context = PresetTable.Context(options, 40)?.to(float32).to(data);
                using (var trainer = new Trainer(model, brief with { ValidationFraction = held }))
                    trainer.Fit(TrainingData.From(x, context)).Step.Should().BeGreaterThan(0);
                var (y, given) = (x.to(weights), context?.to(weights));
                void Same(Func<Tensor, Tensor?, Tensor> call, double tolerance)
                {
                    var (a, b) = (call(x, context), call(y, given));
                    a.dtype.Should().Be(weights);
                    a.sub(b).abs().max().to(float64).item<double>().Should().BeLessThan(tolerance);
                }
                // more digits than the data have take nothing from them
                var tolerance = weights == float64 ? 1e-9 : 2e-3;
                Same(((x, c) => model.LogProb(x, c)), tolerance);
                // few rows are another way
                model.LogProb(x.narrow(0, 0, 2), context?.narrow(0, 0, 2)).sub(model.LogProb(x, context).narrow(0, 0, 2)).abs().max()
                    .to(float64).item<double>().Should().BeLessThan(tolerance);
                Same(((x, c) => model.BitsPerDim(x, c)), tolerance);
                Same(((x, c) => model.Encode(x, c)), tolerance);
                Same(((x, c) => model.NegativeLogLikelihood(x, c)), tolerance);
                model.Evaluate(x, context).MeanLogProb.Should().BeApproximately(model.Evaluate(y, given).MeanLogProb, tolerance);
                var z = model.Encode(y, given);
                Same(((_, c) => model.Decode(z.to(data), c)), tolerance);
                foreach (var wanted in new[] { float32, float64 })
                {
                    model.Sample(3, context, seed: 1, dtype: wanted).dtype.Should().Be(wanted);
                    var back = model.Decode(z, given, dtype: wanted);
                    back.dtype.Should().Be(wanted);
                    back.sub(x.to(wanted)).abs().max().to(float64).item<double>().Should().BeLessThan(1e-2);
                    var (samples, logProb) = model.SampleAndLogProb(3, context?.narrow(0, 0, 2), seed: 1, dtype: wanted);
                    samples.dtype.Should().Be(wanted);
                    logProb.dtype.Should().Be(weights);
                }
            }
    }

    public static TheoryData<string> Standardized => ["RealNvp", "Maf", "Iaf", "Nice", "Spline", "Flow", "reversible"];

    private static Flow Make(string name) => name switch
    {
        "Maf" => new MafModel(MafOptions.Tabular(2), 0),
        "Iaf" => new IafModel(IafOptions.Tabular(2), 0),
        "Nice" => new NiceModel(NiceOptions.Tabular(2), 0),
        "Spline" => new SplineFlowModel(SplineFlowOptions.Tabular(2), 0),
        "Flow" => new Flow([2], new Chain(new Chain(new Standardization([2]), new DiagonalScaling([2])), new Permutation([2], [1, 0]))),
        _ => new RealNvpModel(RealNvpOptions.Tabular(2), 0),
    };

    [Theory, MemberData(nameof(Standardized))]
    public void Seconds_since_1970_stay_apart_and_come_back_as_seconds(string name)
    {
        foreach (var apart in new[] { 1.0, 1e-3 })
        {
            using var scope = NewDisposeScope();
            using var flow = Make(name);
            var times = arange(0, 2000, dtype: float64).mul(apart).add(1.7e9);
            var x = stack([times, randn(2000, dtype: float64)], 1);
            using (var trainer = new Trainer(flow, brief with { Reversible = name == "reversible" })) trainer.Fit(TrainingData.From(x));
            var layer = flow.modules().OfType<Standardization>().Single();
            var z = layer.Forward(x).Value;
            z.dtype.Should().Be(float32);
            z.select(1, 0).unique().output.shape[0].Should().Be(2000);
            z.mean([0L]).abs().max().item<float>().Should().BeLessThan(1e-3f);
            z.std(0).sub(1).abs().max().item<float>().Should().BeLessThan(1e-3f);
            var back = flow.Decode(flow.Encode(x), dtype: float64);
            // a float32 latent tells a thousandth of the spacing apart
            back.sub(x).select(1, 0).abs().max().item<double>().Should().BeLessThan(0.02 * apart);
            var samples = flow.Sample(500, seed: 1, dtype: float64).select(1, 0);
            samples.unique().output.shape[0].Should().Be(500);
            samples.mean().item<double>().Should().BeApproximately(1.7e9 + (1000 * apart), 1000 * apart);
            // the density is in seconds
            flow.LogProb(x).mean().item<float>().Should().BeInRange((float)(-Math.Log(577 * apart) - 8),
                (float)(-Math.Log(577 * apart) + 2));
            // the standardization itself is exact: forward and back, and its log-determinant
            flow.to(float64);
            layer.Inverse(layer.Forward(x).Value).Value.sub(x).abs().max().item<double>().Should().BeLessThan(1e-6);
        }
    }

    [Fact]
    public void A_flow_that_was_moved_converts_to_its_new_dtype()
    {
        using var scope = NewDisposeScope();
        using var flow = new RealNvpModel(RealNvpOptions.Toy2D, 0);
        var x = randn(5, 2);
        flow.LogProb(x).dtype.Should().Be(float32);
        flow.to(float64);
        flow.LogProb(x).dtype.Should().Be(float64);
        flow.to(float32);
        flow.LogProb(x.to(float64)).dtype.Should().Be(float32);
        FluentActions.Invoking(() => flow.Sample(1, dtype: int64)).Should().Throw<ArgumentException>()
            .WithMessage("*float32 or float64*Int64*");
        FluentActions.Invoking(() => flow.Decode(x, dtype: float16)).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void A_dtype_of_few_digits_is_refused_by_the_method_that_was_called()
    {
        using var scope = NewDisposeScope();
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(2) with { ContextSize = 1 }, 0);
        var (x, context) = (randn(9, 2), randn(9, 1));
        foreach (var (a, b) in new[] { (x.to(float16), context), (x, context.to(bfloat16)) })
        {
            using var trainer = new Trainer(flow, brief);
            FluentActions.Invoking(() => trainer.Fit(TrainingData.From(a, b))).Should().Throw<ArgumentException>()
                .WithMessage("Trainer.Fit (data)*too few digits*");
            FluentActions.Invoking(() => flow.Evaluate(a, b)).Should().Throw<ArgumentException>()
                .WithMessage("RealNvpModel.Evaluate*too few digits*");
            FluentActions.Invoking(() => flow.LogProb(a, b)).Should().Throw<ArgumentException>()
                .WithMessage("RealNvpModel.LogProb*too few digits*");
        }
        flow.to(bfloat16);
        using var low = new Trainer(flow, brief);
        FluentActions.Invoking(() => low.Fit(TrainingData.From(x, context))).Should().Throw<ArgumentException>()
            .WithMessage("Trainer.Fit (data)*the weights have BFloat16*module.to(torch.float32)*");
        FluentActions.Invoking(() => flow.LogProb(x, context)).Should().Throw<ArgumentException>()
            .WithMessage("*the weights have BFloat16*");
        FluentActions.Invoking(() => flow.NegativeLogLikelihood(x, context)).Should().Throw<ArgumentException>()
            .WithMessage("*the weights have BFloat16*");
        flow.Standardization!.IsFitted.Should().BeFalse();
    }

    [Fact]
    public void Only_the_first_layer_of_an_inverse_pass_gives_another_dtype()
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([2], new Chain(new Standardization([2]), new Chain(new DiagonalScaling([2]), new Standardization([2])),
            new InvertibleLinearLayer([2])));
        using (var trainer = new Trainer(flow, brief)) trainer.Fit(TrainingData.From(randn(100, 2, dtype: float64).add(1e8)));
        var samples = flow.Sample(100, seed: 1, dtype: float64);
        samples.select(1, 0).unique().output.shape[0].Should().Be(100);
    }

    [Theory, InlineData(long.MaxValue), InlineData(1L << 44)]
    public void More_samples_than_memory_holds_fail_at_once(long count)
    {
        using var flow = new RealNvpModel(RealNvpOptions.Toy2D, 0);
        var watch = System.Diagnostics.Stopwatch.StartNew();
        FluentActions.Invoking(() => flow.Sample(count)).Should().Throw<Exception>();
        watch.Elapsed.TotalSeconds.Should().BeLessThan(5);
    }
}
