using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Models;

/// <summary>Equations of a flow that are not solved: who says so, of which layer, and of which row of the caller's.</summary>
[LeavesNoTensors]
public class UnsolvedTests
{
    [Theory, InlineData(null), InlineData(3)]
    public void A_flow_names_method_layer_and_row_of_an_equation_that_is_not_solved(int? batchSize)
    {
        using var scope = NewDisposeScope();
        using var flow = New();
        var x = full(10, 2, 0.1f);
        x.select(0, 7).fill_(8);
        flow.LogProb(x.narrow(0, 0, 7)).isfinite().all().item<bool>().Should().BeTrue();
        foreach (var (method, run) in new (string, Action)[]
        {
            ("LogProb", () => flow.LogProb(x, batchSize: batchSize)), ("Evaluate", () => flow.Evaluate(x, batchSize: batchSize ?? 10)),
            ("Encode", () => flow.Encode(x, batchSize: batchSize)),
            ("LogProbWithErrors", () => flow.LogProbWithErrors(x, batchSize: batchSize)),
        })
        {
            var error = run.Should().Throw<OdeException>().Which;
            error.Example.Should().Be(7, method);
            error.Layer.Should().StartWith("bijection.layers.1");
            error.Message.Should().Contain($"Flow.{method}").And.Contain("bijection.layers.1").And.Contain("example 7");
            error.Message.Split("example").Should().HaveCount(2, "one row is named");
        }
    }

    [Fact]
    public void Weights_that_are_not_finite_are_named_before_the_solver_is_blamed()
    {
        using var scope = NewDisposeScope();
        using var model = new FfjordModel(FfjordOptions.Toy2D with { Hidden = 8 }, 1);
        var (name, weight) = model.named_parameters().First();
        using (no_grad()) weight.fill_(float.NaN);
        foreach (var run in new Action[] { () => model.LogProb(randn(3, 2)), () => model.Sample(3), () => model.SampleAndLogProb(2) })
            run.Should().Throw<NonFiniteException>().Where(e => e.Layer == name && e.Message.Contains(name, StringComparison.Ordinal));
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Training_ends_with_the_weights_and_statistics_before_the_step(bool byValidation)
    {
        using var scope = NewDisposeScope();
        using var flow = New();
        using var seed = new Generator(3);
        var good = randn([64, 2], generator: seed).mul(0.1f);
        // eight standard deviations out
        var bad = good.clone();
        bad.select(0, 5).fill_(100);
        using var trainer = new Trainer(flow, new TrainingOptions { Epochs = 1, ValidationFraction = 0 });
        Dictionary<string, Tensor>? before = null;
        IEnumerable<Tensor> Batches()
        {
            yield return good.alias();
            before = flow.state_dict().ToDictionary(e => e.Key, e => e.Value.clone());
            yield return byValidation ? good.alias() : bad.alias();
        }
        var fit = () => trainer.Fit(TrainingData.FromBatches(Batches(), 2), byValidation ? TrainingData.From(bad) : null);
        var error = fit.Should().Throw<OdeException>().Which;
        error.Layer.Should().StartWith("bijection.layers.1");
        if (byValidation) return;
        error.Message.Should().Contain("epoch 1, step 2").And.Contain("The weights are those before the step.");
        foreach (var (key, value) in flow.state_dict()) value.equal(before![key]).all().item<bool>().Should().BeTrue(key);
        trainer.Step.Should().Be(1);
    }

    private static Flow New()
    {
        var flow = new Flow([2], new Chain(new FlowBatchNorm([2]), new ContinuousLayer(new Bursting(), [2], new() { MaxSteps = 300 })));
        flow.eval();
        return flow;
    }

    /// <summary>Forward runs backwards in time: far from 0, x grows without bound.</summary>
    private sealed class Bursting : Dynamics
    {
        private readonly TorchSharp.Modules.Parameter rate;

        public Bursting() : base(nameof(Bursting), [2])
        {
            using var first = full(1, 0.02f);
            rate = new TorchSharp.Modules.Parameter(first.clone());
            rate.DetachFromDisposeScope();
            RegisterComponents();
        }

        public override Tensor Velocity(Tensor t, Tensor x, Tensor? context = null)
        {
            using var scope = NewDisposeScope();
            return scope.MoveToOuter(x.pow(3).mul(rate).neg());
        }
    }
}
