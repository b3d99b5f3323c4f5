using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

/// <summary>Reversible training gives what ordinary training gives.</summary>
[LeavesNoTensors]
public partial class ReversibleTests
{
    public static TheoryData<string> Presets => PresetTable.Names;

    public static TheoryData<string> Layers => LayerTable.Names;

    [Theory, InlineData("Tabular, context"), InlineData("Grey28x28"), InlineData("Cifar10"),
        InlineData("Image, odd last scale, context, additive"), InlineData("NICE, Tabular"), InlineData("Spline, Tabular"),
        InlineData("MAF, Tabular"), InlineData("MAF, mixture, plain blocks"), InlineData("IAF, Tabular"),
            InlineData("Glow, CelebAHq256x256"), InlineData("Glow, continuous, context, plain matrices, fixed priors")]
    public void Gradients_statistics_and_losses_of_presets_are_those_of_ordinary_training(string name) => OfPreset(name);

    [SlowTheory, MemberData(nameof(Presets))]
    public void Gradients_statistics_and_losses_of_every_preset_are_those_of_ordinary_training(string name) => OfPreset(name);

    private static void OfPreset(string name)
    {
        using var scope = NewDisposeScope();
        var options = PresetTable.All[name];
        foreach (var (dtype, tolerance) in new[] { (float64, 1e-10), (float32, 1e-5) })
        {
            using var plain = Model(name, dtype);
            using var reversible = Model(name, dtype);
            Compare(plain, reversible, PresetTable.Examples(options, 6).to(dtype), PresetTable.Context(options, 6)?.to(dtype), tolerance);
        }
    }

    [Theory, MemberData(nameof(Layers))]
    public void Gradients_through_every_layer_are_those_of_ordinary_training(string name)
    {
        using var scope = NewDisposeScope();
        var row = LayerTable.Find(name);
        if (row.Sample is not null) return;   // a layer of integers has no weights before it
        Flow Build()
        {
            manual_seed(2);
            // weights before and after it, so that gradients must pass through
            var made = row.Make();
            Flow flow;
            if (made.CircularFeatures.Count == 0)
            {
                var layer = new Chain(new DiagonalScaling(row.Shape), made);
                flow = new Flow(row.Shape, new Chain(layer, new DiagonalScaling(layer.OutputShapeOf(row.Shape))));
            }
            else
            {
                // nothing may cut a circle: shifts go round it
                Bijection[] Shifts(IEnumerable<Circle> circles) =>
                    [.. circles.Select(c => new CircularShift(row.Shape, [c.Feature], c.Low, c.High))];
                var after = made.CirclesThrough(made.CircularFeatures);
                flow = new Flow(row.Shape, new Chain([.. Shifts(made.CircularFeatures), new Chain(made), .. Shifts(after)]),
                    new OnCircles(row.Shape, after));
            }
            RandomWeights.Draw(flow, 3);
            flow.to(float64);
            flow.train();
            return flow;
        }
        using var plain = Build();
        using var reversible = Build();
        using var generator = new Generator(4);
        var x = rand(row.Shape.WithBatch(5), dtype: float64, generator: generator).mul(0.5).add(0.1);
        Compare(plain, reversible, x, plain.ContextSize > 0 ? randn([5, plain.ContextSize], dtype: float64, generator: generator)
            : null, 1e-10);
    }

    [Fact]
    public void Batch_normalization_of_the_current_batch_is_computed_again_without_counting_twice()
    {
        using var scope = NewDisposeScope();
        Flow Build()
        {
            manual_seed(3);
            var net = new ResidualConvNet(2, 4, new() { HiddenChannels = 4, Blocks = 1, Statistics = BatchStatistics.Current });
            var flow = new Flow([4, 4, 4], new Chain(new ActNorm([4, 4, 4]), new AffineCouplingLayer([4, 4, 4], Mask.ChannelWise(4), net)));
            RandomWeights.Draw(flow, 3);
            flow.to(float64);
            return flow;
        }
        using var plain = Build();
        using var reversible = Build();
        Compare(plain, reversible, randn([6, 4, 4, 4], dtype: float64), null, 1e-10);
    }

    [Fact]
    public void Networks_of_ones_own_with_state_are_computed_again_as_they_were()
    {
        using var scope = NewDisposeScope();
        Flow Build()
        {
            manual_seed(3);
            var net = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 4));
            var flow = new Flow([4], new Chain(new DiagonalScaling([4]), new AffineCouplingLayer([4], Mask.FirstHalf(4), net)));
            RandomWeights.Draw(flow, 3);
            flow.to(float64);
            return flow;
        }
        using var plain = Build();
        using var reversible = Build();
        Compare(plain, reversible, randn([6, 4], dtype: float64), null, 1e-10);
    }

    [Fact]
    public void Two_losses_before_their_backward_passes_each_use_their_own_statistics()
    {
        using var scope = NewDisposeScope();
        var (first, second) = (PresetTable.Examples(PresetTable.All["Cifar10"], 4), PresetTable.Examples(PresetTable.All["Cifar10"], 4,
            seed: 6));
        var gradients = new List<Tensor[]>();
        foreach (var reversible in new[] { false, true })
        {
            using var model = Model("Cifar10", float64);
            model.ReversibleTraining = reversible;
            var losses = new[] { model.NegativeLogLikelihood(first, seed: 1), model.NegativeLogLikelihood(second, seed: 2).mul(3) };
            foreach (var loss in losses) loss.backward();
            gradients.Add([.. model.parameters().Select(p => p.grad!.clone())]);
        }
        var size = gradients[0].Max(Largest);
        for (var i = 0; i < gradients[0].Length; i++)
            Largest(gradients[1][i].sub(gradients[0][i])).Should().BeLessThanOrEqualTo(1e-10 * size);
    }

    [Fact]
    public void Examples_may_weigh_differently_in_a_loss()
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        using var layer = new Chain(new ActNorm([4]), new AffineCouplingLayer([4], Mask.FirstHalf(4), new ResidualMlp(2, 4, 8, 1)),
            new InvertibleLinearLayer([4]), new AffineCouplingLayer([4], !Mask.FirstHalf(4), new ResidualMlp(2, 4, 8, 1)));
        RandomWeights.Draw(layer, 1);
        layer.to(float64);
        var (x, weights, rows) = (randn([5, 4], dtype: float64), rand([5, 4], dtype: float64), rand([5], dtype: float64));
        Tensor[] Gradients(ReversibleSession? session)
        {
            foreach (var parameter in layer.parameters()) parameter.grad = null;
            var leaf = x.clone().requires_grad_(true);
            using (session?.Start() ?? ReversibleSession.Suspend())
            {
                var (z, logDet) = layer.Forward(leaf);
                z.mul(weights).sum().add(logDet.mul(rows).sum()).backward();
            }
            return [leaf.grad!, .. layer.parameters().Select(p => p.grad!.clone())];
        }
        var session = new ReversibleSession();
        var (expected, actual) = (Gradients(null), Gradients(session));
        session.Drift.Should().BePositive("the walk took place").And.BeLessThan(1e-12);
        for (var i = 0; i < expected.Length; i++)
            Largest(actual[i].sub(expected[i])).Should().BeLessThanOrEqualTo(1e-10 * Largest(expected[i]));
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Gradients_are_those_of_ordinary_training_where_inputs_are_kept_and_where_two_layers_run_together(bool kept)
    {
        using var scope = NewDisposeScope();
        manual_seed(7);
        using var chain = new Chain(Steps(3));
        RandomWeights.Draw(chain, 7);
        var x = randn(5, 4, 2, 2);
        using (ReversibleSession.Suspend()) chain.Forward(x);
        var session = new ReversibleSession();
        for (var i = 0; kept && session.Interval != 1; i++) session.KeepMore();
        Tensor[] Gradients(bool reversible)
        {
            foreach (var parameter in chain.parameters()) parameter.grad = null;
            var leaf = x.clone().requires_grad_(true);
            using (reversible ? session.Start() : ReversibleSession.Suspend())
            {
                var (z, logDet) = chain.Forward(leaf);
                z.square().sum().sub(logDet.sum()).backward();
            }
            return [leaf.grad!, .. chain.parameters().Select(p => p.grad!.clone())];
        }
        var (expected, actual) = (Gradients(false), Gradients(true));
        var size = expected.Max(Largest);
        for (var i = 0; i < expected.Length; i++) Largest(actual[i].sub(expected[i])).Should().BeLessThanOrEqualTo(1e-5 * size);
    }

    [Theory, InlineData("ActNorm"), InlineData("linear"), InlineData("additive"), InlineData("affine"), InlineData("sigmoid")]
    public void Gradients_through_an_inverse_are_those_of_ordinary_training(string name)
    {
        using var scope = NewDisposeScope();
        var mask = Mask.ChannelWise(4);
        Bijection Layer() => name switch
        {
            "ActNorm" => new ActNorm([4, 2, 2]),
            "linear" => new InvertibleLinearLayer([4, 2, 2]),
            "additive" => new CouplingLayer([4, 2, 2], mask, new AdditiveTransformer(), new GlowConvNet(2, 2, 8)),
            "affine" => new AffineCouplingLayer([4, 2, 2], mask, new GlowConvNet(2, 4, 8)),
            _ => new CouplingLayer([4, 2, 2], mask, new SigmoidAffineTransformer(), new GlowConvNet(2, 4, 8)),
        };
        foreach (var (dtype, tolerance) in new[] { (float64, 1e-10), (float32, 1e-5) })
        {
            Flow Build()
            {
                manual_seed(3);
                var flow = new Flow([4, 2, 2], new Chain(new DiagonalScaling([4, 2, 2]), new InvertedLayer(Layer()),
                    new DiagonalScaling([4, 2, 2])));
                RandomWeights.Draw(flow, 3);
                flow.to(dtype);
                return flow;
            }
            using var plain = Build();
            using var reversible = Build();
            Compare(plain, reversible, randn([6, 4, 2, 2], dtype: dtype), null, tolerance);
        }
    }

    [Fact]
    public void The_trainer_turns_it_on_reports_the_drift_and_learns_the_same()
    {
        using var scope = NewDisposeScope();
        var x = randn(64, 2);
        var losses = new List<double[]>();
        foreach (var reversible in new[] { false, true })
        {
            using var model = new RealNvpModel(RealNvpOptions.Toy2D with { Layers = 4, Hidden = 8, FlowBatchNorm = true }, seed: 0);
            model.to(float64);
            using var trainer = new Trainer(model, new TrainingOptions { Epochs = 3, BatchSize = 16, ValidationFraction = 0,
                Reversible = reversible });
            var drifts = new List<double?>();
            var result = trainer.Fit(TrainingData.From(x.to(float64)), progress: new Watch(p => drifts.Add(p.ReversibleDrift)));
            losses.Add([.. result.History.Select(h => h.Loss)]);
            drifts.Should().HaveCount(12).And.OnlyContain(d => reversible ? d > 0 && d < 1e-10 : d == null);
            model.ReversibleTraining.Should().BeFalse("it is put back");
        }
        foreach (var (a, b) in losses[0].Zip(losses[1])) b.Should().BeApproximately(a, 1e-9);
    }

    private sealed class Watch(Action<TrainingProgress> then) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => then(value);
    }
}
