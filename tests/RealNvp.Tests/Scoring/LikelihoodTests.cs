using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Scoring;

/// <summary>What log-probabilities say that they are.</summary>
public class LikelihoodTests
{
    private static readonly Likelihood[] kinds =
        [Likelihood.Exact, Likelihood.Numerical(1e-5), Likelihood.Numerical(null), Likelihood.Truncated(0.25), Likelihood.Estimate,
            Likelihood.LowerBound];

    [Fact]
    public void A_sum_has_the_reservations_of_all_its_terms_in_any_order_and_the_kind_of_the_worst()
    {
        foreach (var a in kinds)
        {
            a.With(Likelihood.Exact).Should().Be(a);
            Likelihood.Exact.With(a).Should().Be(a);
            foreach (var b in kinds)
            {
                a.With(b).Should().Be(b.With(a));
                a.With(b).Kind.Should().Be((LikelihoodKind)Math.Max((int)a.Kind, (int)b.Kind));
                foreach (var c in kinds) a.With(b).With(c).Should().Be(a.With(b.With(c)));
            }
        }
        var all = kinds.Aggregate((a, b) => a.With(b));
        all.Should().BeEquivalentTo(new { IsBound = true, IsEstimate = true, IsNumerical = true, Tolerance = 1e-5, MaxError = 0.25 });
        Likelihood.Truncated(0.25).With(Likelihood.Truncated(0.5)).MaxError.Should().Be(0.75, "errors of terms add up");
        Likelihood.Numerical(0.25).With(Likelihood.Numerical(0.5)).Tolerance.Should().Be(0.75, "those of solvers too");
    }

    [Fact]
    public void It_is_said_in_words()
    {
        kinds.Select(k => k.ToString()).Should().Equal("exact", "exact but for the error of a solver with tolerance 1E-05",
            "exact but for a numerical error",
            "off by at most 0.25 nats", "an unbiased estimate", "a lower bound");
        kinds.Aggregate((a, b) => a.With(b)).ToString().Should()
            .Be("a lower bound, an estimate, off by at most 0.25 nats, by a solver with tolerance 1E-05");
    }

    [Theory, InlineData(4, 0.9, 8), InlineData(1, 0.5, 1), InlineData(3, 0.97, 20), InlineData(2, 0.3, 0)]
    public void The_bound_of_a_cut_off_series_holds_for_the_worst_matrix(int elements, double c, int terms)
    {
        // of J = −c·I all terms have one sign
        double sum = 0;
        for (var k = 1; k <= terms; k++) sum -= elements * Math.Pow(c, k) / k;
        var off = Math.Abs(elements * Math.Log(1 - c) - sum);
        var bound = Likelihood.OfSeries(elements, c, terms);
        bound.Kind.Should().Be(LikelihoodKind.Truncated);
        bound.MaxError.Should().BeGreaterThanOrEqualTo(off).And.BeLessThan(off * (terms + 1) / (1 - c));
    }

    [Fact]
    public void Numbers_that_bound_nothing_are_refused()
    {
        FluentActions.Invoking(() => Likelihood.Truncated(0)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => Likelihood.Truncated(double.NaN)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => Likelihood.Numerical(-1)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => Likelihood.OfSeries(2, 1, 3)).Should().Throw<ArgumentOutOfRangeException>();
    }

    public static TheoryData<string> Layers => LayerTable.Names;

    [Theory, MemberData(nameof(Layers))]
    public void A_layer_says_what_it_is_alone_and_within_others(string name)
    {
        var row = LayerTable.Find(name);
        using var layer = row.Make();
        var alone = layer.Likelihood;
        if (alone.Kind == LikelihoodKind.Exact && layer.IsStochastic)
            layer.Should().BeOfType<RandomHorizontalFlip>(
                "noise in evaluation makes a bound or an estimate, but a flip, which has no log-determinant");
        (alone.Kind == LikelihoodKind.LowerBound).Should().Be(layer.Dequantizes);
        using var chain = new Chain(layer);
        chain.Likelihood.Should().Be(alone);
        using var inverse = new InvertedLayer(chain);
        inverse.Likelihood.Should().Be(alone);
        using var worse = new Chain(inverse, new Says(Likelihood.Truncated(2)));
        worse.Likelihood.Should().Be(alone.With(Likelihood.Truncated(2)));
    }

    [Fact, LeavesNoTensors]
    public void A_flow_is_what_its_worst_part_is_and_says_so_everywhere()
    {
        using var scope = NewDisposeScope();
        var x = randn(20, 2);
        foreach (var kind in kinds)
        {
            using var flow = new Flow([2], new Chain(new Says(kind), new DiagonalScaling([2])));
            flow.Likelihood.Should().Be(kind);
            flow.Evaluate(x).Likelihood.Should().Be(kind);
            flow.Summary(x).Likelihood.Should().Be(kind);
            flow.Summary(x).ToString().Should().Contain($"Likelihood: {kind}.");
            flow.Evaluate(x).ToString().Contains(kind.ToString(), StringComparison.Ordinal).Should().Be(kind != Likelihood.Exact);
            using var trainer = new Trainer(flow, new TrainingOptions { Epochs = 1, BatchSize = 10 });
            trainer.Fit(TrainingData.From(x), TrainingData.From(x));
            flow.Info.HeldOutLikelihood.Should().Be(kind.Kind);
        }
        using var resampled = new Flow([2], new DiagonalScaling([2]), new ProductDensity([2], ([0], new ResampledNormal([1], 4)),
            ([1], new StandardNormal([1]))));
        resampled.Likelihood.Kind.Should().Be(LikelihoodKind.Numerical, "a number that the density is divided by is estimated");
    }

    [Fact, LeavesNoTensors]
    public void Errors_of_layers_arrive_with_the_log_probabilities_part_by_part()
    {
        using var scope = NewDisposeScope();
        var x = randn(7, 2);
        using var flow = new Flow([2], new Chain(new Says(Likelihood.Estimate) { Variance = 9 },
            new Says(Likelihood.Estimate) { Variance = 16 },
            new Says(Likelihood.Truncated(1)) { Error = -0.5 }, new Says(Likelihood.Truncated(1)) { Error = 0.25 }));
        foreach (var batch in new int?[] { null, 3 })
        {
            var (logProb, standard, numerical) = flow.LogProbWithErrors(x, batchSize: batch);
            logProb.equal(flow.LogProb(x)).all().item<bool>().Should().BeTrue();
            standard!.equal(full_like(logProb, 5)).all().item<bool>().Should().BeTrue();
            numerical!.equal(full_like(logProb, 0.75)).all().item<bool>().Should().BeTrue();
        }
        using var exact = new Flow([2], new DiagonalScaling([2]));
        exact.LogProbWithErrors(x).StandardError.Should().BeNull();
        exact.LogProbWithErrors(x).NumericalError.Should().BeNull();
        using var once = new Flow([2], new Chain(new Says(Likelihood.Estimate) { Variance = 9 },
            new Says(Likelihood.Estimate) { Variance = double.NaN }));
        once.LogProbWithErrors(x).StandardError.Should().BeNull("one draw has no spread, and a standard error of 0 would be a lie");
    }

    [Fact, LeavesNoTensors]
    public void A_score_that_is_no_log_likelihood_is_not_kept_as_one()
    {
        using var scope = NewDisposeScope();
        var x = randn(20, 2);
        using var flow = new Flow([2], new DiagonalScaling([2]));
        using var trainer = new Trainer(flow, Objective.From("squares", (f, batch, _) => f.TrainingLogProb(batch.X).square()),
            new TrainingOptions { Epochs = 1 });
        trainer.Fit(TrainingData.From(x), TrainingData.From(x));
        flow.Info.HeldOutLogProb.Should().BeNull();
        flow.Info.HeldOutLikelihood.Should().BeNull();
    }

    /// <summary>Does nothing, and says what it is told to; a variance of NaN is one that nobody can tell.</summary>
    private sealed class Says : Bijection
    {
        private readonly Likelihood likelihood;

        public Says(Likelihood likelihood) : base(nameof(Says))
        {
            this.likelihood = likelihood;
            RegisterComponents();
        }

        public double? Variance { get; init; }

        public double? Error { get; init; }

        public override Likelihood Likelihood => likelihood;

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
        {
            if (pass.WantsErrors && Variance is { } variance) pass.AddVariance(double.IsNaN(variance) ? null : full(x.shape[0], variance));
            if (pass.WantsErrors && Error is { } error) pass.AddError(full(x.shape[0], error));
            return (x, null);
        }

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (z, null);
    }
}
