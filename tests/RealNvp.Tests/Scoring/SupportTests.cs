using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Scoring;

/// <summary>Minus infinity is a log-density; NaN and plus infinity are faults with a name (decision 0011).</summary>
public class SupportTests
{
    [Theory, InlineData(0.05), InlineData(1e-4), InlineData(0.3)]
    public void A_flow_with_a_logit_scores_its_own_samples(double alpha)
    {
        using var scope = NewDisposeScope();
        foreach (var options in new RealNvpOptions[] { new RealNvpVectorOptions { Shape = [4], LogitAlpha = alpha, Layers = 4, Hidden = 16,
            Blocks = 1 },
            RealNvpOptions.Image([1, 4, 4], scales: 1, blocks: 1, hidden: 4) with { Levels = 0, LogitAlpha = alpha } })
        {
            using var model = new RealNvpModel(options, seed: 1);
            RandomWeights.Draw(model, 2, 0.05);
            model.to(float64);
            var (x, logProb) = model.SampleAndLogProb(500, seed: 1);
            if (alpha >= 0.05) x.lt(0).logical_or(x.gt(1)).any().item<bool>().Should().BeTrue("some lie outside of [0, 1]");
            model.LogProb(x).sub(logProb).abs().max().item<double>().Should().BeLessThan(1e-6);
            model.Decode(model.Encode(x)).sub(x).abs().max().item<double>().Should().BeLessThan(1e-9);
            model.Evaluate(x).FiniteCount.Should().Be(500);
            model.to(float32);
            (x, logProb) = model.SampleAndLogProb(500, seed: 1);
            model.LogProb(x).sub(logProb).abs().div(logProb.abs().add(1)).max().item<float>().Should().BeLessThan(1e-3f);
            model.LogProb(x).mean().sub(logProb.mean()).abs().item<float>().Should().BeLessThan(1e-3f);
            // where rounding leads to the edge itself
            model.LogProb(model.Sample(500, temperature: 20, seed: 1)).isfinite().all().item<bool>().Should().BeTrue();
        }
    }

    [Fact]
    public void A_row_outside_of_the_support_is_minus_infinity_and_the_others_keep_their_values()
    {
        using var scope = NewDisposeScope();
        using var logit = new RealNvpModel(new RealNvpVectorOptions { Shape = [3], LogitAlpha = 0.05, Layers = 2, Hidden = 8, Blocks = 1 },
            seed: 0);
        using var box = new Flow([3], new DiagonalScaling([3]), new UniformBox([3], 0, 1));
        using var own = new Flow([3], new Chain(new Permutation([3], [2, 0, 1]), new Logarithm([3]), new DiagonalScaling([3])));
        var x = rand(5, 3).mul(0.9).add(0.05);
        foreach (var flow in new Flow[] { logit, box, own })
        {
            var expected = flow.LogProb(x);
            var bad = x.clone();
            bad[1, 2] = -2;
            bad[3, 0] = -0.9;
            var found = flow.LogProb(bad);
            found.isneginf().data<bool>().ToArray().Should().Equal(false, true, false, true, false);
            foreach (var row in new[] { 0, 2, 4 }) found[row].item<float>().Should().Be(expected[row].item<float>());
            flow.LogProb(bad, batchSize: 2).isneginf().data<bool>().ToArray().Should().Equal(false, true, false, true, false);
            var result = flow.Evaluate(bad, batchSize: 2);
            (result.Count, result.FiniteCount, result.MeanLogProb, result.BitsPerDim).Should()
                .Be((5L, 3L, double.NegativeInfinity, double.PositiveInfinity));
            result.FiniteMeanLogProb.Should().BeApproximately(cat([expected[..1], expected[2].unsqueeze(0),
                expected[4].unsqueeze(0)]).to(float64).mean().item<double>(), 1e-5);
            result.StandardError.Should().Be(double.NaN);
            flow.Evaluate(x).FiniteMeanLogProb.Should().Be(flow.Evaluate(x).MeanLogProb);
            // gradients of the others
            var leaf = bad.clone().requires_grad_();
            flow.LogProb(leaf).masked_fill(found.isneginf(), 0).sum().backward();
            (leaf.grad ?? zeros_like(leaf)).isfinite().all().item<bool>().Should().BeTrue();
            if (ReferenceEquals(flow, box)) continue;
            FluentActions.Invoking(() => flow.Encode(bad, batchSize: 2)).Should().Throw<ArgumentException>()
                .WithMessage("*Encode: row 1 lie* outside of the domain*LogProb gives minus infinity*");
            using var trainer = new Trainer(flow, new TrainingOptions { Epochs = 1, ValidationFraction = 0 });
            FluentActions.Invoking(() => trainer.Fit(TrainingData.From(bad))).Should().Throw<ArgumentException>()
                .WithMessage("Trainer.Fit*rows 1, 3*outside*");
        }
    }

    [Theory, InlineData("Tabular"), InlineData("MAF, Toy2D"), InlineData("Spline, Toy2D"), InlineData("Toy2D"), InlineData("NICE, Tabular")]
    public void A_density_below_what_the_dtype_holds_is_minus_infinity_for_that_row_alone(string name)
    {
        using var scope = NewDisposeScope();
        var options = PresetTable.All[name] with { ContextSize = 0 };
        using var model = options.NewModel();
        RandomWeights.Draw(model, 2, 0.05);
        model.eval();
        var x = randn(options.Shape.WithBatch(10));
        var expected = model.LogProb(x);
        var far = x.clone();
        far[4, 0] = 1e25f;
        var found = model.LogProb(far);
        // a heavy tail holds it; a normal's is -1e50 / 2
        if (model.BaseDensity is StandardNormal) found[4].item<float>().Should().Be(float.NegativeInfinity);
        else float.IsFinite(found[4].item<float>()).Should().BeTrue();
        foreach (var row in new[] { 0, 1, 2, 3, 5, 6, 7, 8, 9 })
            found[row].item<float>().Should().BeApproximately(expected[row].item<float>(), 1e-4f);
    }

    [Fact]
    public void Not_a_number_and_plus_infinity_in_a_result_name_the_layer_and_the_rows()
    {
        using var scope = NewDisposeScope();
        foreach (var wrong in new[] { double.NaN, double.PositiveInfinity })
        {
            using var flow = new Flow([2], new Chain(new DiagonalScaling([2]), new Broken(wrong)));
            flow.eval();
            var x = ones(7, 2);
            x[2, 0] = -1;
            x[5, 1] = -1;
            // a row that is outside for another reason is not at fault
            x[0, 0] = 1e25f;
            var error = FluentActions.Invoking(() => flow.LogProb(x)).Should().Throw<NonFiniteException>().Which;
            error.Message.Should().Contain("Flow.LogProb met numbers").And.Contain("in rows 2, 5:").And.Contain(
                "bijection.layers.1 (Broken), whose log-determinant");
            error.Layer.Should().Be("bijection.layers.1 (Broken)");
            FluentActions.Invoking(() => flow.LogProb(x, batchSize: 4)).Should().Throw<NonFiniteException>().WithMessage("*in row 2:*");
            FluentActions.Invoking(() => flow.LogProb(x[3..], batchSize: 1)).Should().Throw<NonFiniteException>()
                .WithMessage("*in row 2:*");
            FluentActions.Invoking(() => flow.Evaluate(x[3..], batchSize: 2)).Should().Throw<NonFiniteException>()
                .WithMessage("Flow.Evaluate*in row 2:*");
        }
        using var spoilt = new Flow([2], new DiagonalScaling([2]));
        using (no_grad()) spoilt.parameters().Single().fill_(float.PositiveInfinity);
        FluentActions.Invoking(() => spoilt.LogProb(ones(3, 2))).Should()
            .Throw<NonFiniteException>("it is the weights that make minus infinity").WithMessage("*the weight * is not finite*");
    }

    [Fact]
    public void Not_a_number_in_the_input_lists_the_rows()
    {
        using var scope = NewDisposeScope();
        using var flow = Inference.Flows.Random(1, dtype: float32);
        var x = zeros(30, 2);
        x[3, 1] = float.NaN;
        x[17, 0] = float.NegativeInfinity;
        foreach (var (owner, call) in new (string, Action)[] { ("LogProb", () => flow.LogProb(x)), ("Encode", () => flow.Encode(x)),
            ("Decode", () => flow.Decode(x)), ("BitsPerDim", () => flow.BitsPerDim(x)),
            ("Evaluate", () => flow.Evaluate(x, batchSize: 4)) })
            call.Should().Throw<ArgumentException>().WithMessage($"RealNvpModel.{owner} expects finite values*rows 3, 17.*");
        x.fill_(float.NaN);
        FluentActions.Invoking(() => flow.LogProb(x)).Should().Throw<ArgumentException>()
            .WithMessage("*30 rows (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...)*");
        // strided, of another dtype: not read in memory
        var wide = zeros(4, 6)[.., ..2];
        wide[2, 0] = float.NaN;
        FluentActions.Invoking(() => flow.LogProb(wide)).Should().Throw<ArgumentException>().WithMessage("*row 2*");
        for (var at = 0; at < 70; at++)
        {
            var one = zeros(35, 2);
            one.view(-1)[at] = at % 2 == 0 ? float.NaN : float.PositiveInfinity;
            FluentActions.Invoking(() => flow.LogProb(one)).Should().Throw<ArgumentException>().WithMessage($"*row {at / 2}.*");
        }
    }

    [Fact]
    public void Dtype_errors_name_the_method_that_was_called()
    {
        using var scope = NewDisposeScope();
        using var flow = Inference.Flows.Random(1, dtype: float32);
        var x = zeros(3, 2, int32);
        foreach (var (owner, call) in new (string, Action)[] { ("LogProb", () => flow.LogProb(x)), ("Encode", () => flow.Encode(x)),
            ("Decode", () => flow.Decode(x)), ("BitsPerDim", () => flow.BitsPerDim(x)),
            ("NegativeLogLikelihood", () => flow.NegativeLogLikelihood(x)), ("Evaluate", () => flow.Evaluate(x)) })
            call.Should().Throw<ArgumentException>().WithMessage($"RealNvpModel.{owner} expects * with a floating-point dtype; got Int32*");
    }

    [Fact]
    public void A_loss_outside_of_a_bounded_density_says_which_latents_lie_outside()
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([2], new DiagonalScaling([2]), new UniformBox([2], -1, 1));
        var x = zeros(6, 2);
        x[4, 1] = 1.5f;
        using var trainer = new Trainer(flow, new TrainingOptions { Epochs = 1, BatchSize = 6, ValidationFraction = 0 });
        FluentActions.Invoking(() => trainer.Fit(TrainingData.FromBatches([x], 1))).Should().Throw<NonFiniteException>()
            .WithMessage("The loss became*row 4 of the batch*minus infinity: its latent lies outside of the support of UniformBox, 1 " +
                "element(s) in all, the first being (1,) = 1.5*").Which.Message.Should().NotContain("learning rate");
    }

    [Fact]
    public void A_loss_of_data_that_are_not_numbers_names_their_rows()
    {
        using var scope = NewDisposeScope();
        using var flow = Inference.Flows.Random(1, dtype: float32);
        var x = zeros(6, 2);
        x[2, 1] = float.NaN;
        using var trainer = new Trainer(flow, new TrainingOptions { Epochs = 1, BatchSize = 6, ValidationFraction = 0 });
        FluentActions.Invoking(() => trainer.Fit(TrainingData.FromBatches([x], 1))).Should().Throw<NonFiniteException>()
            .WithMessage("The loss became NaN*row 2 of the batch holds NaN*");
        using var again = new Trainer(flow, new TrainingOptions { Epochs = 1 });
        FluentActions.Invoking(() => again.Fit(TrainingData.From(zeros(6, 2, float16)))).Should().Throw<ArgumentException>()
            .WithMessage("Trainer.Fit*float32 or float64; x has Float16*");
    }

    // ln x, whose domain is a half line: a user's layer says so as ours do
    private sealed class Logarithm : Bijection
    {
        public Logarithm(EventShape shape) : base(nameof(Logarithm), shape) => RegisterComponents();

        protected internal override Tensor? OutsideDomain(Tensor x) => x.le(0).flatten(1).any(1);

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
        {
            var z = x.clamp_min(1e-30).log();
            return (z, SumExamples(z.neg()).masked_fill(OutsideDomain(x)!, double.NegativeInfinity));
        }

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (z.exp(), SumExamples(z));
    }

    private sealed class Broken : Bijection
    {
        private readonly double wrong;

        public Broken(double wrong) : base(nameof(Broken), [2])
        {
            this.wrong = wrong;
            RegisterComponents();
        }

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) =>
            (x.alias(), zeros(x.shape[0], dtype: x.dtype).masked_fill(x.lt(0).any(1), wrong));

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (z.alias(), null);
    }
}
