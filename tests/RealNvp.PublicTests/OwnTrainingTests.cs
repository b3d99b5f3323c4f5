using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.PublicTests;

/// <summary>A user's loss, optimizer, schedule and data have all that the library's have.</summary>
public partial class OwnTrainingTests
{
    public static TheoryData<string> Cases => [.. cases.Keys];

    [Theory, MemberData(nameof(Cases))]
    public void Training_learns_and_resumes_in_the_middle_of_an_epoch_to_the_same_bit(string name)
    {
        using var scope = NewDisposeScope();
        var path = Path.Combine(Path.GetTempPath(), $"realnvp-own-{Guid.NewGuid():N}.safetensors");
        try
        {
            using var whole = cases[name]();
            using var trainer = new Trainer(whole.Flow, whole.Parts.Objective, whole.Options, whole.Parts.Optimizer);
            var before = State(whole);
            var steps = new List<double>();
            // in the second epoch, not at its end
            var result = trainer.Fit(whole.Data, progress: new Listener(p =>
            {
                steps.Add(p.Loss);
                if (p.Epoch == 2 && p.Batch == 2) trainer.SaveCheckpoint(path);
            }));
            result.History.Should().HaveCount(3);
            result.Objective.Should().Be(whole.Parts.Objective.Name);
            result.History[2].Loss.Should().BeLessThan(result.History[0].Loss);
            State(whole).Should().OnlyContain(t => !t.Key.Contains("weight") || !t.Value.equal(before[t.Key]).all().item<bool>(),
                "all weights are trained");

            using var other = cases[name]();
            if (other.Change is not null)
            {
                var without = () => Trainer.Resume(path, other.Flow, null, other.Parts);
                without.Should().Throw<InvalidDataException>().WithMessage("*Zigzag*Every = 3*change*");
            }
            using var resumed = Trainer.Resume(path, other.Flow, other.Change, other.Parts);
            var again = new List<double>();
            var end = resumed.Fit(other.Data, progress: new Listener(p => again.Add(p.Loss)));
            again.Should().Equal(steps[^again.Count..]).And.HaveCountGreaterThan(2);
            end.History.Select(h => (h.Loss, h.ValidationLoss)).Should().Equal(result.History.Select(h => (h.Loss, h.ValidationLoss)));
            var states = State(other);
            foreach (var (key, tensor) in State(whole)) tensor.equal(states[key]).all().item<bool>().Should().BeTrue(key);
        }
        finally { File.Delete(path); }
    }

    [Fact]
    public void A_likelihood_of_ones_own_trains_as_the_librarys_does_to_the_bit()
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> Train(Objective objective)
        {
            using var flow = Flow();
            using var trainer = new Trainer(flow, objective, options with { ValidationFraction = 0 });
            trainer.Fit(Rows());
            return flow.state_dict().ToDictionary(t => t.Key, t => t.Value.clone());
        }
        var expected = Train(Objective.MaximumLikelihood);
        var actual = Train(Objective.From("mine", (flow, batch, seed) => flow.TrainingLogProb(batch.X, batch.Context, seed).neg()));
        foreach (var (name, tensor) in expected) tensor.equal(actual[name]).all().item<bool>().Should().BeTrue(name);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_weight_is_the_row_so_many_times_and_a_row_of_weight_0_is_not_there(bool loader)
    {
        using var scope = NewDisposeScope();
        var x = Points(24).to(float64);
        var weights = tensor(Enumerable.Range(0, 24).Select(i => i % 4).ToArray());
        var odd = where(weights.unsqueeze(1) == 0, x * double.NaN, x);
        (double Loss, double Validation, Tensor[] State) Train(Func<TrainingData> data)
        {
            using var flow = Flow(dtype: float64);
            using var trainer = new Trainer(flow, options with { BatchSize = 100, Epochs = 4, Patience = 10 });
            var result = trainer.Fit(data(), data());
            return (result.History[^1].Loss, result.History[^1].ValidationLoss!.Value,
                [.. flow.state_dict().Values.Select(t => t.clone())]);
        }
        var repeated = Train(() => TrainingData.From(x.repeat_interleave(weights, 0)));
        var weighted = Train(() => loader ? TrainingData.FromBatches(Batches(), 1) : TrainingData.From(odd, null, weights));
        weighted.Loss.Should().BeApproximately(repeated.Loss, 1e-12);
        weighted.Validation.Should().BeApproximately(repeated.Validation, 1e-12);
        foreach (var (a, b) in weighted.State.Zip(repeated.State)) a.sub(b).abs().max().item<double>().Should().BeLessThan(1e-10);

        IEnumerable<(Tensor, Tensor?, Tensor)> Batches() { yield return (odd.clone(), null, weights.clone()); }
    }

    [Theory]
    [InlineData(-1, "*that of row 3 is not*")]
    [InlineData(double.NaN, "*that of row 3 is not*")]
    [InlineData(double.PositiveInfinity, "*that of row 3 is not*")]
    [InlineData(0, "*all 5 weights are 0*")]
    public void Weights_that_mean_nothing_are_refused_by_row(double weight, string message)
    {
        using var scope = NewDisposeScope();
        var weights = weight == 0 ? zeros(5) : ones(5);
        if (weight != 0) weights[3] = tensor((float)weight);
        var of = () => TrainingData.From(Points(5), null, weights);
        of.Should().Throw<ArgumentException>().WithMessage(message);
        using var flow = Flow();
        using var trainer = new Trainer(flow, options);
        var fit = () => trainer.Fit(TrainingData.FromBatches([(Points(5), null, weights.clone())], 1));
        fit.Should().Throw<ArgumentException>().WithMessage("*step 1*" + message);
    }

    [Fact]
    public void A_mean_that_does_not_know_of_weights_is_refused()
    {
        using var scope = NewDisposeScope();
        using var flow = Flow();
        using var trainer = new Trainer(flow, Objective.From("mean", (f, batch, seed) => f.NegativeLogLikelihood(batch.X, batch.Context,
            seed)), options with { ValidationFraction = 0 });
        var fit = () => trainer.Fit(TrainingData.From(Points(60), null, ones(60)));
        fit.Should().Throw<InvalidOperationException>().WithMessage("*weights*mean*one loss for each example*");
    }

    [Fact]
    public void A_loss_of_ones_own_is_validated_by_itself_and_its_faults_are_named()
    {
        using var scope = NewDisposeScope();
        using var flow = Flow();
        var before = flow.state_dict().ToDictionary(t => t.Key, t => t.Value.clone());
        var calls = 0;
        using (var trainer = new Trainer(flow, Objective.From("wild", (f, batch, seed) => f.TrainingLogProb(batch.X, null, seed).neg()
            * (++calls > 0 ? double.NaN : 1)), options))
        {
            var fit = () => trainer.Fit(Rows());
            fit.Should().Throw<NonFiniteException>()
                .WithMessage("*epoch 1, step 1*values of all layers are finite*wild*weights are those before*").Which.Layer.Should()
                .Be("wild");
        }
        foreach (var (name, tensor) in flow.state_dict()) tensor.equal(before[name]).all().item<bool>().Should().BeTrue(name);

        using (var trainer = new Trainer(flow, Objective.ReverseKl(x => LogNormal(x, 2) * double.NaN, 8), options))
        {
            var fit = () => trainer.Fit(TrainingData.None(3));
            fit.Should().Throw<NonFiniteException>().WithMessage("*step 1*logDensity is NaN for sample 0*");
        }

        using var good = new Trainer(flow, Objective.From("scaled", (f, batch, seed) => f.TrainingLogProb(batch.X, null, seed).mul(-2)),
            options);
        var result = good.Fit(Rows());
        result.HeldOut.Should().BePositive();
        result.History.Should().OnlyContain(h => h.ValidationLoss != null && h.BitsPerDim == null && h.ValidationBitsPerDim == null);
        result.BestEpoch.Should().NotBeNull();
    }

    [Fact]
    public void The_hook_between_backward_and_step_sees_gradients_before_they_are_clipped_and_may_change_them()
    {
        using var scope = NewDisposeScope();
        using var flow = Flow();
        var before = flow.state_dict().ToDictionary(t => t.Key, t => t.Value.clone());
        using var trainer = new Trainer(flow, options with { MaxGradientNorm = 1e-3, AverageDecay = null, ValidationFraction = 0 });
        var (seen, norms) = (new List<long>(), new List<double>());
        trainer.AfterBackward = step =>
        {
            using var inner = NewDisposeScope();
            using var _ = no_grad();
            seen.Add(step.Step);
            norms.Add(stack([.. step.Parameters.Select(p => p.Parameter.grad!.norm())]).norm().item<float>());
            foreach (var (_, parameter) in step.Parameters) parameter.grad!.zero_();
            step.Loss = step.Loss.mul(0).add(42).MoveToOuterDisposeScope();
        };
        var result = trainer.Fit(Rows());
        seen.Should().Equal(Enumerable.Range(0, (int)result.Step).Select(i => (long)i));
        norms.Should().OnlyContain(n => n > 1e-3, "they are not clipped yet");
        result.History.Should().OnlyContain(h => h.Loss == 42);
        foreach (var (name, tensor) in flow.state_dict()) tensor.equal(before[name]).all().item<bool>().Should().BeTrue(name);
    }

    [Fact]
    public void What_does_not_fit_together_is_refused_before_any_work()
    {
        using var scope = NewDisposeScope();
        using var flow = Flow();
        var kl = Objective.ReverseKl(x => LogNormal(x, 0), 4);
        Refused(() => new Trainer(flow, kl, options).Fit(Rows()), "*ReverseKl*draws its examples itself*");
        Refused(() => new Trainer(flow, options).Fit(TrainingData.None(3)), "*learns from examples*");
        Refused(() => new Trainer(flow, kl, options with { Reversible = true }).Fit(TrainingData.None(3)),
            "*Reversible*no effect*ReverseKl*");
        Refused(() => new Trainer(flow, Objective.From("x", (f, b, s) => zeros(1),
            new Dictionary<string, nn.Module> { ["part"] = flow.Bijection })).Fit(Rows()), "*beside/part/*same*");
        Refused(() => new Trainer(flow, Objective.MaximumLikelihood, options with { CheckpointPath = Path.GetTempFileName() },
            g => new Forgetful(g)).Fit(Rows()), "*Forgetful*cannot save its state*");
        var path = Path.Combine(Path.GetTempPath(), $"realnvp-own-{Guid.NewGuid():N}.safetensors");
        try
        {
            using (var trainer = new Trainer(flow, kl, options)) trainer.SaveCheckpoint(path);
            Refused(() => Trainer.Resume(path, flow), "*by ReverseKl(samples: 4, gradient: Path), not by MaximumLikelihood*");
            Refused(() => Trainer.Resume(path, flow, null, new() { Objective = kl, Optimizer = g => new Heavy(g) }),
                "*optimizer Adam, not with Heavy*");
        }
        finally { File.Delete(path); }

        static void Refused(Action act, string message) => act.Should().Throw<Exception>().WithMessage(message).Which.Should()
            .Match(e => e is ArgumentException || e is InvalidDataException);
    }
}
