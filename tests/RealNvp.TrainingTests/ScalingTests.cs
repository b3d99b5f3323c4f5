using RealNvp.Internal;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

/// <summary>Units of contexts do not matter, values far out are named and need not matter.</summary>
public class ScalingTests
{
    private static readonly TrainingOptions brief = new() { Epochs = 2, BatchSize = 50, LearningRate = 5e-3, ValidationFraction = 0 };

    public static TheoryData<string> Tables => [.. tables.Keys];

    private static readonly Dictionary<string, ModelOptions> tables = new()
    {
        ["RealNvp"] = RealNvpOptions.Tabular(2) with { Layers = 2, Hidden = 8, ContextSize = 2 },
        ["NICE"] = NiceOptions.Tabular(2) with { Layers = 2, Hidden = 8, ContextSize = 2 },
        ["Spline"] = SplineFlowOptions.Tabular(2) with { Layers = 2, Hidden = 8, ContextSize = 2 },
        ["MAF"] = MafOptions.Tabular(2) with { Layers = 2, Hidden = 8, ContextSize = 2 },
        ["MAF, splines"] = MafOptions.SplineTabular(2) with { Layers = 2, Hidden = 8, ContextSize = 2 },
        ["IAF"] = IafOptions.Tabular(2) with { Layers = 2, Hidden = 8, ContextSize = 2 },
        ["IAF, splines"] = IafOptions.SplineTabular(2) with { Layers = 2, Hidden = 8, ContextSize = 2 },
    };

    [Theory, MemberData(nameof(Tables))]
    public void The_unit_of_a_context_does_not_matter_to_a_preset(string name)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        using var generator = new Generator(1);
        var context = randn([100, 2], dtype: float64, generator: generator);
        var x = randn([100, 2], dtype: float64, generator: generator) + context;
        var scores = new List<double>();
        foreach (var (factor, offset) in new[] { (1.0, 0.0), (24, 2000), (1e4, 0), (1e-4, 0), (1, 1.7e9) })
        {
            manual_seed(1);
            using var model = tables[name].NewModel();
            model.ContextEncoder.Should().BeOfType<ContextStandardization>();
            var given = (context * factor) + offset;
            using (var trainer = new Trainer(model, brief)) trainer.Fit(TrainingData.From(x, given)).Warnings.Should().BeEmpty();
            scores.Add(model.Evaluate(x, given).MeanLogProb);
            model.Save(folder.At("model.safetensors"));
            using var loaded = FlowModel.Load(folder.At("model.safetensors"));
            loaded.Evaluate(x, given).MeanLogProb.Should().Be(scores[^1], "it is in the file");
            // and it is not fitted again
            using (var trainer = new Trainer(loaded, brief with { LearningRate = 1e-12, Epochs = 1 }))
                trainer.Fit(TrainingData.From(x, given * 2));
            loaded.Evaluate(x, given).MeanLogProb.Should().BeApproximately(scores[^1], 1e-5);
        }
        scores.Should().OnlyContain(s => Math.Abs(s - scores[0]) < 1e-3);
    }

    [Fact]
    public void A_flow_of_layers_may_standardize_its_context_too()
    {
        using var scope = NewDisposeScope();
        using var encoder = new ContextStandardization(2);
        using var flow = new Flow([2], new AffineCouplingLayer([2], Mask.Alternating(2), new ResidualMlp(1, 2, 8, 1, 2)),
            contextEncoder: encoder);
        var context = stack([full([60], 7.0), arange(60, dtype: float64) + 2000], 1);
        using (var trainer = new Trainer(flow, brief)) trainer.Fit(TrainingData.From(randn(60, 2), context));
        encoder.IsFitted.Should().BeTrue();
        var features = encoder.call(context);
        features.dtype.Should().Be(float32);
        features.select(1, 0).abs().max().item<float>().Should().Be(0, "a constant number is centred");
        features.select(1, 1).std(unbiased: false).item<float>().Should().BeApproximately(1, 1e-4f);
        FluentActions.Invoking(() => flow.LogProb(randn(60, 2), context.to(int64))).Should().Throw<ArgumentException>()
            .WithMessage("*floating-point dtype; got Int64*");
        FluentActions.Invoking(() => flow.LogProb(randn(60, 2), context * float.NaN)).Should().Throw<ArgumentException>()
            .WithMessage("*finite*");
        FluentActions.Invoking(() => flow.Sample(2, context[.., ..1])).Should().Throw<ArgumentException>();
        encoder.Fit(context + 100);
        encoder.call(context + 100).mean().abs().item<float>().Should().BeLessThan(1e-4f);
        flow.Sample(3, context[..2]).shape.Should().Equal(2, 3, 2);
    }

    [Fact]
    public void A_record_without_the_new_members_means_what_it_meant()
    {
        foreach (var options in tables.Values.Append(RealNvpOptions.Tabular(3) with { ContextSize = 1 }))
        {
            var old = System.Text.Json.Nodes.JsonNode.Parse(options.ToJson())!.AsObject();
            foreach (var member in new[] { nameof(ModelOptions.StandardizeContext), nameof(ModelOptions.Scaling),
                    nameof(ModelOptions.TailThreshold) })
                old.Remove(member).Should().BeTrue();
            var text = old.ToJsonString();
            ModelOptions read = options switch
            {
                RealNvpOptions => ModelOptions.FromJson<RealNvpOptions>(text),
                NiceOptions => ModelOptions.FromJson<NiceOptions>(text),
                SplineFlowOptions => ModelOptions.FromJson<SplineFlowOptions>(text),
                MafOptions => ModelOptions.FromJson<MafOptions>(text),
                _ => ModelOptions.FromJson<IafOptions>(text),
            };
            (read.StandardizeContext, read.Scaling, read.TailThreshold).Should().Be((false, FeatureScaling.Moments, null));
        }
        FluentActions.Invoking(() => new RealNvpModel(RealNvpOptions.Toy2D with { TailThreshold = 0 })).Should().Throw<ArgumentException>()
            .WithMessage("*TailThreshold must be in 0.1 ... 1000000: below, samples*got 0.*");
        FluentActions.Invoking(() => new GlowModel(GlowOptions.Digits8x8 with { TailThreshold = 3 })).Should().Throw<ArgumentException>()
            .WithMessage("*vectors of continuous data only*");
    }

    [Theory, InlineData(1e4), InlineData(1e6), InlineData(1e8), InlineData(-1e30)]
    public void A_value_far_out_is_named_by_row_and_column_and_quantiles_do_not_see_it(double far)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var x = randn([400, 3], generator: generator);
        var clean = x.clone();
        x.index_put_((float)far, TensorIndex.Single(7), TensorIndex.Single(1));
        foreach (var tail in new double?[] { null, 3 })
        {
            using var model = new RealNvpModel(RealNvpOptions.Tabular(3) with { Layers = 2, Hidden = 8,
                Scaling = FeatureScaling.Quantiles, TailThreshold = tail }, 0);
            var heard = new Heard();
            if (Math.Abs(far) < 1e20)
            {
                using var trainer = new Trainer(model, brief);
                var warnings = trainer.Fit(TrainingData.From(x), progress: heard).Warnings;
                warnings.Should().ContainSingle().Which.Should()
                    .Match("Column 1 holds * in row 7, * FeatureScaling.Quantiles and TailThreshold = 3.");
                heard.Warnings.Should().Equal(warnings);
            }
            else Trainer.FitLayers(model, TrainingData.From(x));
            using var without = new Standardization([3], FeatureScaling.Quantiles);
            without.Fit(clean);
            var (scale, wanted) = (model.Standardization!.state_dict()["log_std"], without.state_dict()["log_std"]);
            scale.sub(wanted).abs().max().item<float>().Should().BeLessThan(0.02f);
            wanted.abs().max().item<float>().Should().BeLessThan(0.2f, "the scale is that of a normal");
            if (tail is not null)
                ((Chain)model.Bijection).Layers[1].Forward(model.Standardization.Forward(x).Value).Value.abs().max().item<float>().Should()
                    .BeLessThan(300);
        }
    }

    [Fact]
    public void A_value_far_out_in_a_data_loader_is_named_by_its_row_too()
    {
        using var scope = NewDisposeScope();
        IEnumerable<Tensor> Loader()
        {
            for (var i = 0; i < 5; i++)
            {
                var batch = randn(50, 3);
                if (i == 3) batch.index_put_(1e6f, TensorIndex.Single(7), TensorIndex.Single(2));
                yield return batch;
            }
        }
        using var model = new RealNvpModel(RealNvpOptions.Tabular(3) with { Layers = 2, Hidden = 8 }, 0);
        using var trainer = new Trainer(model, brief with { Epochs = 1 });
        trainer.Fit(TrainingData.FromBatches(Loader(), 5)).Warnings.Should().Contain(w => w.StartsWith("Column 2 holds 1E+06 in row 157,",
            StringComparison.Ordinal));
    }

    [Fact]
    public void Ordinary_data_get_no_warning()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(2);
        var normal = randn([3000, 1], generator: generator);
        var x = cat([normal, normal.exp(), normal.mul(1e-6), rand([3000, 1], generator: generator).lt(0.02).to(float32),
            randint(2000, 2025, [3000, 1], generator: generator).to(float32)], 1);
        using var model = new RealNvpModel(RealNvpOptions.Tabular(5) with { Layers = 2, Hidden = 8, ContextSize = 5 }, 0);
        using var trainer = new Trainer(model, brief with { Epochs = 1 });
        trainer.Fit(TrainingData.From(x, x)).Warnings.Should().BeEmpty();
    }

    [Fact]
    public void A_velocity_that_has_to_lead_far_is_told_of_unless_a_layer_scales_the_data()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        var x = cat([randn([200, 1], generator: generator), randn([200, 1], generator: generator).mul(1000).add(30_000)], 1);
        IReadOnlyList<string> Warnings(FlowModel model, Objective objective, Tensor data)
        {
            using (model)
            using (var trainer = new Trainer(model, objective, brief with { Epochs = 1, MaxSteps = 1, ValidationFraction = 0 }))
                return trainer.Fit(TrainingData.From(data)).Warnings;
        }
        var plain = FfjordOptions.Matching2D with { Hidden = 8 };
        Warnings(plain.NewModel(0), Objective.FlowMatching(), x).Should().Contain(w => w.StartsWith("Column 1 has values near 3.0")
            && w.Contains("Standardize = true"));
        Warnings((plain with { Standardize = true }).NewModel(0), Objective.FlowMatching(), x).Should()
            .NotContain(w => w.Contains("velocity"));
        Warnings(plain.NewModel(0), Objective.FlowMatching(), x.div(tensor([1f, 10_000f]))).Should()
            .NotContain(w => w.Contains("velocity"));
        // positions on a circle are where they are
        Warnings((FfjordOptions.Torus(2) with { Hidden = 8, CircleLow = 0, CircleHigh = 360 }).NewModel(0), Objective.FlowMatching(),
            rand([200, 2], generator: generator).mul(360)).Should().NotContain(w => w.Contains("velocity"));
    }

    [Fact]
    public void Contexts_hidden_values_in_small_samples_and_lost_digits_are_named_too()
    {
        using var scope = NewDisposeScope();
        TrainingResult Fit(Flow flow, Tensor x, Tensor? context = null)
        {
            using (flow)
            using (var trainer = new Trainer(flow, brief with { Epochs = 1 })) return trainer.Fit(TrainingData.From(x, context));
        }
        var context = randn(40, 1);
        context.index_put_(1e5f, TensorIndex.Single(3), TensorIndex.Single(0));
        Fit(new RealNvpModel(RealNvpOptions.Tabular(2) with { ContextSize = 1, Layers = 2 }, 0), randn(40, 2), context).Warnings.Should()
            .ContainSingle().Which.Should().StartWith("Context column 0 holds 100000 in row 3");
        // a constant
        Fit(new RealNvpModel(RealNvpOptions.Toy2D with { Layers = 2 }, 0), cat([randn(40, 1), full([40, 1], 0.1f)], 1)).Warnings.Should()
            .ContainSingle().Which.Should().StartWith("Column 1 is 0.1 in all rows");
        // all but one are equal
        var lone = cat([randn(40, 1), full([40, 1], 5f)], 1);
        lone.index_put_(5.001f, TensorIndex.Single(7), TensorIndex.Single(1));
        Fit(new RealNvpModel(RealNvpOptions.Tabular(2) with { Layers = 2 }, 0), lone).Warnings.Should().ContainSingle().Which.Should()
            .StartWith("Column 1 holds 5.001 in row 7, while all other values are 5.");
        // half of the values are equal
        var flag = zeros(40, 2).add(randn(40, 2).mul(tensor([0f, 1f])));
        flag.index_put_(9f, TensorIndex.Single(4), TensorIndex.Single(0));
        Fit(new RealNvpModel(RealNvpOptions.Tabular(2) with { Layers = 2 }, 0), flag).Warnings.Should().ContainSingle().Which.Should()
            .StartWith("Column 0 holds 9 in row 4");
        var seconds = stack([arange(0, 40, dtype: float64) + 1.7e9, randn(40, dtype: float64)], 1);
        Fit(new Flow([2], new Chain(new ActNorm([2]), new InvertibleLinearLayer([2]))), seconds).Warnings[0].Should()
            .Match("Column 0 has values near 1.7E+09 *float32 has steps of 128*Standardization*");
        Fit(new Flow([2], new Chain(new Standardization([2]), new DiagonalScaling([2]))), seconds).Warnings.Should().BeEmpty();
    }

    [Fact]
    public void Quantiles_of_batches_are_those_of_all_and_of_many_rows_those_of_a_sample()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        foreach (var rows in new long[] { 1, 5, 1000, 300_000 })
        {
            var x = randn([rows, 2], dtype: float64, generator: generator);
            using var sample = new FeatureSample();
            foreach (var part in x.split(70_000)) sample.Add(part);
            var q = sample.Quantiles(0.25, 0.5, 0.9);
            var wanted = quantile(x.narrow(0, 0, Math.Min(rows, 1000)), tensor([0.25, 0.5, 0.9], float64), 0);
            if (rows > 1000)
                q.sub(tensor(new double[,] { { -0.6745 }, { 0 }, { 1.2816 } })).abs().max().item<double>().Should().BeLessThan(0.02);
            else q.sub(wanted).abs().max().item<double>().Should().BeLessThan(1e-12);
        }
    }

    [Fact]
    public void What_the_dtype_cannot_hold_is_refused_with_a_cure_that_works()
    {
        using var scope = NewDisposeScope();
        using var layer = new Standardization([2]);
        var x = randn(50, 2, dtype: float64).mul(tensor([1.0, 1e-40]));
        FluentActions.Invoking(() => layer.Fit(x)).Should().Throw<ArgumentException>()
            .WithMessage("*feature 1 has the centre * and the scale *Float32 cannot hold*model.to(torch.float64)*");
        layer.IsFitted.Should().BeFalse();
        layer.to(float64);
        layer.Fit(x);
        layer.Forward(x).Value.std(0).sub(1).abs().max().item<double>().Should().BeLessThan(0.05);
    }

    [SlowTheory, InlineData(1e4, 3.0), InlineData(1e6, 3.0), InlineData(1e9, 3.0), InlineData(1e6, null), InlineData(1e9, null)]
    public void The_fit_with_a_value_far_out_is_as_good_as_without(double far, double? tail)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var x = randn([4000, 2], generator: generator);
        x.index_put_((float)far, TensorIndex.Single(7), TensorIndex.Single(1));
        using var model = new RealNvpModel(RealNvpOptions.Tabular(2) with { Scaling = FeatureScaling.Quantiles, TailThreshold = tail }, 0);
        using (var trainer = new Trainer(model, TrainingOptions.For(model.Options) with { Epochs = 30 })) trainer.Fit(TrainingData.From(x));
        // of a standard normal: 1 + log 2π, with the median of χ² 1.386 in place of 2
        (-model.LogProb(x).median().item<float>()).Should().BeApproximately(2.53f, 0.1f);
        var others = model.LogProb(cat([x[..7], x[8..]], 0));
        (-others.mean().item<float>()).Should().BeApproximately(2.84f, 0.1f);
    }

    private sealed class Heard : IProgress<TrainingProgress>
    {
        public IReadOnlyList<string> Warnings { get; private set; } = [];

        public void Report(TrainingProgress value) => Warnings = value.Warnings;
    }
}
