using RealNvp.Internal;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

/// <summary>What a training does with any objective, seen from inside: steps that nothing waits for, and the layout of files.</summary>
public class ObjectiveTests
{
    private static readonly TrainingOptions options = new() { Epochs = 2, BatchSize = 16, Seed = 3, AverageDecay = 0.9,
        ValidationFraction = 0, MaxGradientNorm = 1 };

    public static TheoryData<string> Objectives => ["likelihood", "weights", "own", "encoder", "reverse KL", "hook"];

    [Theory, MemberData(nameof(Objectives))]
    public void Any_objective_trains_on_a_device_as_it_does_where_each_step_is_looked_at(string name)
    {
        using var scope = NewDisposeScope();
        var expected = Train(null);
        foreach (var limits in new[] { Every(1), Every(3), Every(100) with { UsesLists = false } })
        {
            var actual = Train(limits);
            actual.Losses.Should().HaveCount(expected.Losses.Count);
            for (var i = 0; i < expected.Losses.Count; i++) actual.Losses[i].Should().BeApproximately(expected.Losses[i], 1e-6);
            foreach (var (key, tensor) in expected.State) tensor.allclose(actual.State[key], 1e-6, 1e-7).Should().BeTrue(key);
        }

        (List<double> Losses, Dictionary<string, Tensor> State) Train(PendingLimits? limits)
        {
            using var flow = Flow();
            var (objective, data) = Make(name);
            var losses = new List<double>();
            using var trainer = new Trainer(flow, objective, options, null, limits);
            if (name == "hook")
                trainer.AfterBackward = step => { foreach (var (_, parameter) in step.Parameters) parameter.grad!.mul_(0.5); };
            trainer.Fit(data, progress: new Listener(p => losses.Add(p.Loss)));
            var state = flow.state_dict().Concat(objective.Modules.SelectMany(m => m.Value.state_dict())).ToDictionary(t => t.Key,
                t => t.Value.clone());
            return (losses, state);
        }
    }

    [Theory]
    [InlineData("likelihood")]
    [InlineData("own")]
    [InlineData("encoder")]
    [InlineData("reverse KL")]
    public void A_step_of_any_objective_fetches_no_number(string name)
    {
        using var flow = Flow();
        var (objective, data) = Make(name);
        using var trainer = new Trainer(flow, objective, options with { Epochs = 1 }, null, Every(100));
        var before = new List<long>();
        trainer.AfterBackward = _ => before.Add(HostFetch.Count);
        trainer.Fit(data);
        before.Should().HaveCountGreaterThan(2);
        before.Distinct().Should().ContainSingle("nothing was fetched between the first step and the last");
    }

    [Fact]
    public void A_checkpoint_holds_what_is_trained_beside_the_flow_under_names_of_its_own_and_loads_as_a_model()
    {
        using var folder = new TemporaryFolder();
        var path = folder.At("beside.safetensors");
        using var model = new RealNvpModel(RealNvpOptions.Toy2D with { Standardize = false, Hidden = 8 }, 1);
        var (objective, data) = Make("encoder");
        using (var trainer = new Trainer(model, objective, options with { ValidationFraction = null, CheckpointPath = path }))
            trainer.Fit(data, data);
        using (var file = SafeTensors.Load(path))
        {
            file.Tensors.Keys.Where(k => k.StartsWith("beside/", StringComparison.Ordinal)).Should().BeEquivalentTo(
                from section in new[] { "model", "average", "best" } from weight in new[] { "weight",
                    "bias" } select $"beside/{section}/encoder/{weight}");
            file.Tensors.Keys.Should().Contain("optimizer/exp_avg.beside/encoder/weight");
            file.Metadata["objective"].Should().Be("encoder");
            file.Metadata["optimizer"].Should().Be("Adam");
        }
        using var loaded = FlowModel.Load(path);
        foreach (var (key, tensor) in model.state_dict()) tensor.equal(loaded.state_dict()[key]).all().item<bool>().Should().BeTrue(key);
        var other = () => Trainer.Resume(path, parts: new() { Objective = Objective.From("encoder", (_, _, _) => zeros(1)) });
        other.Should().Throw<InvalidDataException>().WithMessage("*weights of encoder beside the flow; the objective trains no module*");
    }

    [Fact]
    public void A_checkpoint_copies_nothing_that_the_optimizer_or_the_average_hold()
    {
        using var flow = Flow();
        using IOptimizer optimizer = new AdamOptimizer(flow);
        using var scope = NewDisposeScope();
        var (first, second) = (optimizer.StateDict(), optimizer.StateDict());
        foreach (var key in first.Keys.Where(k => k.StartsWith("exp_avg", StringComparison.Ordinal)))
            first[key].Handle.Should().Be(second[key].Handle);
    }

    private static PendingLimits Every(int steps) => new(steps, TimeSpan.FromDays(1));

    private static (Objective, TrainingData) Make(string name)
    {
        using var generator = new Generator(4);
        var x = randn([60, 2], generator: generator).DetachFromDisposeScope();
        var rows = TrainingData.From(x);
        switch (name)
        {
            case "weights": return (Objective.MaximumLikelihood,
                TrainingData.From(x, null, arange(60).to(float32).DetachFromDisposeScope()));
            case "own": return (Objective.From("own", (flow, batch, seed) => flow.TrainingLogProb(batch.X, null, seed).mul(-2)), rows);
            case "reverse KL": return (Objective.ReverseKl(p => p.sub(1).square().sum(1).neg(), 16), TrainingData.None(5));
            case "encoder":
                manual_seed(6).Dispose();
                var encoder = nn.Linear(2, 2);
                return (Objective.From("encoder", (flow, batch, seed) => flow.TrainingLogProb(encoder.call(batch.X), null,
                    seed).neg().add(encoder.call(batch.X).sub(batch.X).square().sum(1)),
                    new Dictionary<string, nn.Module> { ["encoder"] = encoder }, new() { DataAreFlowInputs = false }), rows);
            default: return (Objective.MaximumLikelihood, rows);
        }
    }

    private static Flow Flow()
    {
        manual_seed(5).Dispose();
        var mask = Mask.Alternating(2);
        return new Flow([2], new Chain(new AffineCouplingLayer([2], mask, new Mlp(1, 2, 8)),
            new AffineCouplingLayer([2], !mask, new Mlp(1, 2, 8))));
    }

    private sealed class Listener(Action<TrainingProgress> hear) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => hear(value);
    }
}
