using RealNvp.Internal;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Kernels;
using RealNvp.Tests.Laws;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Tests.Few;

/// <summary>Whatever happens to a flow between two calls, the next one reads the weights that are there then.</summary>
public class ChangedWeightTests
{
    private sealed record Change(Action<FlowModel> Do, bool ChangesResults = true, bool KeepsPlan = true);

    private static readonly Dictionary<string, Change> changes = new()
    {
        ["nothing"] = new(_ => { }, ChangesResults: false),
        ["a step in place"] = new(model => Step(model, 0.02)),
        ["a step of torch's optimizer"] = new(model =>
        {
            using var optimizer = optim.Adam(model.parameters(), lr: 0.02);
            using var scope = NewDisposeScope();
            var (x, context) = Data(model);
            model.NegativeLogLikelihood(x, context).backward();
            optimizer.step();
        }),
        ["a fit"] = new(model =>
        {
            using var scope = NewDisposeScope();
            var (x, context) = Data(model);
            using var trainer = new Trainer(model, new() { Epochs = 2, BatchSize = 8, LearningRate = 0.02, ValidationFraction = 0 });
            trainer.Fit(TrainingData.From(x.repeat(4, 1), context?.repeat(4, 1)));
            model.eval();
        }),
        ["an average that is swapped in"] = new(model =>
        {
            using var average = new WeightAverage(model, 0.5, warmUp: false);
            Step(model, 0.02);
            average.Update();
            Step(model, 0.02);
            average.Apply();
        }),
        ["a state that is loaded"] = new(model =>
        {
            using var other = Other(model);
            model.load_state_dict(other.state_dict());
        }),
        ["weights of a file"] = new(model =>
        {
            using var other = Other(model);
            using var file = new MemoryStream();
            other.SaveWeights(file);
            file.Position = 0;
            model.LoadWeights(file);
        }),
        ["other parameters in the place of linear layers'"] = new(model =>
        {
            foreach (var linear in model.modules().OfType<Linear>())
            {
                linear.weight = new Parameter(linear.weight!.detach().mul(Scalars.Of(1.1)));
                linear.bias = new Parameter(linear.bias is null ? zeros(1) : linear.bias.detach().clone());
            }
        }),
        ["a weight whose dimensions change places"] = new(model =>
        {
            using var gradients = no_grad();
            foreach (var linear in model.modules().OfType<Linear>())
                if (linear.weight!.shape[0] == linear.weight.shape[1]) linear.weight.transpose_(0, 1);
        }, KeepsPlan: false),
        ["float64"] = new(model => model.to(float64), ChangesResults: false),
        ["float64 and back"] = new(model => { model.to(float64); model.to(float32); }, ChangesResults: false),
        ["float64, a step, and back"] = new(model => { model.to(float64); Step(model, 0.02); model.to(float32); }),
        ["training mode"] = new(model => model.train(), ChangesResults: false),
        ["a batch in training mode"] = new(model =>
        {
            model.train();
            using var scope = NewDisposeScope();
            var (x, context) = Data(model);
            model.TrainingLogProb(x, context);
        }, ChangesResults: false),
        ["a hook on each network"] = new(model =>
        {
            foreach (var network in model.modules().OfType<Conditioner>())
                network.register_forward_hook((_, _, _, output) => output.mul(Scalars.Of(0.9)));
            // a pass feature by feature does not call the network
        }, ChangesResults: false, KeepsPlan: false),
        ["networks in bfloat16"] = new(model => model.ConditionerDtype = ScalarType.BFloat16, KeepsPlan: false),
        ["frozen parameters"] = new(model => { foreach (var p in model.parameters()) p.requires_grad_(false); }, ChangesResults: false),
    };

    public static TheoryData<string, string> Cases
    {
        get
        {
            var cases = new TheoryData<string, string>();
            foreach (var change in changes.Keys)
                foreach (var preset in (string[])["Tabular, context", "Spline, Tabular", "MAF, Tabular"]) cases.Add(change, preset);
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void After_a_change_results_are_those_of_the_weights_that_are_there(string name, string preset)
    {
        using var scope = NewDisposeScope();
        var change = changes[name];
        using var model = PresetTable.Create(preset, spread: 0.1);
        model.to(float32);
        var (x, context) = Data(model);
        var before = FewRows.All(model, x, context, plan: true);
        FewRows.IsKnown(model, x, context).Should().BeTrue();
        change.Do(model);
        var after = FewRows.All(model, x, context, plan: true);
        FewRows.IsKnown(model, x, context).Should().Be(change.KeepsPlan);
        foreach (var ((method, value), (_, old), (_, expected)) in after.Zip(before, FewRows.All(model, x, context, plan: false)))
        {
            KernelResults.ApartOfMeanSquare(value, expected, 1).Should().BeLessThan(1e-4, "of {0}", method);
            if (change.ChangesResults) KernelResults.ApartOfMeanSquare(value, old, 1).Should().BeGreaterThan(1e-3, "of {0}", method);
        }
    }

    [Theory, InlineData("Tabular, context"), InlineData("Spline, Tabular"), InlineData("MAF, Tabular")]
    public void While_one_thread_steps_the_others_get_the_results_of_some_weights_that_there_were(string preset)
    {
        using var scope = NewDisposeScope();
        using var model = PresetTable.Create(preset, spread: 0.1);
        model.to(float32);
        var (x, context) = Data(model);
        // the weights go to and fro between two states
        using var gradients = no_grad();
        var states = new[] { 1.0, 1.01 }.Select(by =>
        {
            foreach (var p in model.parameters()) p.mul_(Scalars.Of(by));
            return model.LogProb(x, context).data<float>().ToArray();
        }).ToArray();
        states[0].Should().NotEqual(states[1]);
        var found = new HashSet<int>();
        for (var round = 0; round < 6; round++)
        {
            foreach (var p in model.parameters()) p.mul_(Scalars.Of(round % 2 == 0 ? 1 / 1.01 : 1.01));
            var results = new float[3][];
            var threads = Enumerable.Range(0, results.Length).Select(i => new Thread(() =>
            {
                using var own = NewDisposeScope();
                results[i] = model.LogProb(x, context).data<float>().ToArray();
            })).ToArray();
            foreach (var thread in threads) thread.Start();
            foreach (var thread in threads) thread.Join();
            foreach (var result in results)
            {
                result.Should().Equal(results[0]);
                found.Add(result.Zip(states[0], (a, b) => Math.Abs(a - b)).Max() < 1e-3 ? 0 : 1);
            }
        }
        found.Should().BeEquivalentTo([0, 1]);
    }

    [Fact]
    public void A_disposed_flow_or_layer_says_so_for_few_rows_too()
    {
        using var scope = NewDisposeScope();
        var asinh = new AsinhTransform(3, [2]);
        using var flow = new Flow([2], new Chain(asinh, new AffineCouplingLayer([2], Mask.Alternating(2), size => new Mlp(size.Inputs,
            size.Outputs, 8))));
        var x = zeros(1, 2);
        FewRows.IsKnown(flow, x).Should().BeTrue();
        asinh.Dispose();
        FewRows.IsKnown(flow, x).Should().BeFalse();
        FluentActions.Invoking(() => flow.LogProb(x)).Should().Throw<ObjectDisposedException>();
        flow.Dispose();
        FluentActions.Invoking(() => flow.LogProb(x)).Should().Throw<ObjectDisposedException>();
        FluentActions.Invoking(() => flow.Sample(1)).Should().Throw<ObjectDisposedException>();
    }

    [Fact]
    public void The_default_dtype_does_not_matter()
    {
        using var scope = NewDisposeScope();
        using var model = PresetTable.Create("Tabular, context");
        model.to(float32);
        var (x, context) = Data(model);
        var expected = FewRows.All(model, x, context, plan: true);
        set_default_dtype(float64);
        try
        {
            foreach (var ((method, value), (_, before)) in FewRows.All(model, x, context, plan: true).Zip(expected))
            {
                value.dtype.Should().Be(before.dtype);
                KernelResults.Same(value, before).Should().BeTrue("of {0}", method);
            }
        }
        finally { set_default_dtype(float32); }
    }

    [Fact]
    public void Gradients_that_somebody_wants_are_those_of_tensors()
    {
        using var scope = NewDisposeScope();
        using var model = PresetTable.Create("Tabular, context");
        model.to(float32);
        var (x, context) = Data(model);
        var leaf = x.clone().requires_grad_(true);
        model.LogProb(leaf, context).sum().backward();
        leaf.grad.Should().NotBeNull();
        var given = context!.clone().requires_grad_(true);
        model.Encode(x, given).sum().backward();
        given.grad.Should().NotBeNull();
        model.RSampleAndLogProb(1, context).Samples.requires_grad.Should().BeTrue();
    }

    private static void Step(nn.Module model, double size)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var generator = new Generator(5);
        foreach (var p in model.parameters())
            p.add_(randn(p.shape, generator: generator).mul(Scalars.Of(size)).to(p.dtype), Scalars.One);
    }

    private static FlowModel Other(FlowModel model)
    {
        var other = model.ModelOptions.NewModel(seed: 8);
        RandomWeights.Draw(other, 9, 0.1);
        return other;
    }

    private static (Tensor X, Tensor? Context) Data(FlowModel model) =>
        (PresetTable.Examples(model.ModelOptions, 4).to(float32), PresetTable.Context(model.ModelOptions, 4)?.to(float32));
}
