using RealNvp.Checking;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Conditioners;

/// <summary>Conditioners in bfloat16: float32 goes in and comes out, and only the network has fewer digits.</summary>
[LeavesNoTensors]
public class ConditionerDtypeTests
{
    // a rounding to 8 bits is off by up to 2^-9; some ten of them one after the other, with a factor of 2 to be safe
    private const double SomeRoundings = 2 * 10 / 512.0;

    // each with the shape of its examples and of its context
    private static readonly Dictionary<string, Func<Bijection>> layers = new()
    {
        ["Mlp"] = () => new AffineCouplingLayer([6], Mask.FirstHalf(6), new Mlp(3, 6, 32, 2, contextSize: 2)),
        ["ResidualMlp"] = () => new AffineCouplingLayer([6], Mask.Alternating(6), new ResidualMlp(3, 6, 32, 2, contextSize: 2)),
        ["ResidualMlp, spline"] = () => new CouplingLayer([6], Mask.Alternating(6), new SplineTransformer(8, 3),
            new ResidualMlp(3, 3 * new SplineTransformer(8, 3).ParametersPerElement, 32, 1)),
        ["ResidualConvNet"] = () => new AffineCouplingLayer([2, 6, 6], Mask.Checkerboard(6, 6),
            new ResidualConvNet(2, 4, new() { HiddenChannels = 32, Blocks = 1, BatchNorm = false, ContextSize = 2 })),
        ["GlowConvNet"] = () =>
            new CouplingLayer([4, 5, 5], Mask.ChannelWise(4), new SigmoidAffineTransformer(), new GlowConvNet(2, 4, 32, 2)),
    };

    public static TheoryData<string> Couplings => [.. layers.Keys];

    public static TheoryData<string> Rows => [.. LayerTable.All.Where(row => HasConditioner(row.Make)).Select(row => row.Name)];

    [Theory, MemberData(nameof(Couplings))]
    public void One_coupling_is_as_invertible_as_in_float32(string name)
    {
        using var scope = NewDisposeScope();
        using var off = no_grad();
        var (flow, x, context) = Make(name);
        using (flow)
        {
            var full = flow.Bijection.Forward(x, context);
            flow.ConditionerDtype = ScalarType.BFloat16;
            var (z, logDet) = flow.Bijection.Forward(x, context);
            (z.dtype, logDet.dtype, flow.LogProb(x, context).dtype).Should().Be((float32, float32, float32));
            var apart = Apart(z, full.Value);
            apart.Should().BePositive("else nothing was rounded").And.BeLessThan(SomeRoundings);
            Apart(logDet, full.LogDet).Should().BeLessThan(SomeRoundings);
            var (back, backLogDet) = flow.Bijection.Inverse(z, context);
            back.sub(x).abs().max().item<float>().Should().BeLessThan(1e-4f * x.abs().max().item<float>());
            backLogDet.add(logDet).abs().max().item<float>().Should().BeLessThan(1e-4f * Math.Max(1, logDet.abs().max().item<float>()));
            if (apart < 1e-5) Assert.Fail("the network has hardly an effect, so the round trip proves nothing");
        }
    }

    [Theory, MemberData(nameof(Couplings))]
    public void Gradients_come_in_float32_and_are_near_those_of_float32(string name)
    {
        using var scope = NewDisposeScope();
        var (flow, x, context) = Make(name);
        using (flow)
        {
            Tensor[] Gradients(ScalarType? dtype)
            {
                flow.ConditionerDtype = dtype;
                foreach (var p in flow.parameters()) p.grad = null;
                flow.NegativeLogLikelihood(x, context).backward();
                return [.. flow.parameters().Select(p => p.grad!.detach().clone())];
            }
            Tensor[] full = Gradients(null), reduced = Gradients(ScalarType.BFloat16);
            reduced.Should().OnlyContain(g => g.dtype == float32);
            // all together: the rounding of a weight's own gradient can be as large as a gradient that is nearly 0
            Tensor all = cat(full.Select(g => g.flatten()).ToArray()), near = cat(reduced.Select(g => g.flatten()).ToArray());
            near.sub(all).norm().div(all.norm()).item<float>().Should().BePositive().And.BeLessThan((float)SomeRoundings);
            foreach (var p in flow.parameters()) p.grad = null;
        }
    }

    // FlowCheck takes finite differences in float64, where networks are not
    // rounded: what it compares with them may be off by that, and nothing else.
    // In a chain, the second of two computations may round a number the other way.
    [Theory, MemberData(nameof(Rows))]
    public void Every_layer_with_a_built_in_conditioner_passes_FlowCheck(string name)
    {
        var row = LayerTable.Find(name);
        using var layer = row.Make();
        FlowLaw[] laws = [FlowLaw.NumericalLogDet, FlowLaw.ParameterGradients, FlowLaw.InputGradients];
        if (layer.modules().Count(m => m is Conditioner) > 1) laws = [.. laws, FlowLaw.AutogradLogDet];
        var report = (row with { Make = () => Reduced(row.Make()) }).Verify();
        foreach (var failure in report.Failures)
        {
            failure.Dtype.Should().Be(float32, report.ToString());
            failure.Law.Should().BeOneOf(laws, report.ToString());
            failure.Error.Should().BeLessThan(SomeRoundings / row.Options.Float32Tolerance * failure.Tolerance, report.ToString());
        }
    }

    [Fact]
    public void A_model_that_is_set_back_computes_the_same_bits_and_its_file_says_nothing()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        using var model = RealNvpOptions.Tabular(6).NewModel();
        RandomWeights.Draw(model, 2, 0.05);
        var x = randn(20, 6);
        var (before, samples) = (model.LogProb(x), model.Sample(20, seed: 1));
        model.Save(folder.At("before"));
        model.ConditionerDtype = ScalarType.BFloat16;
        model.LogProb(x).sub(before).abs().max().item<float>().Should().BePositive();
        model.parameters().Should().OnlyContain(p => p.dtype == float32);
        model.Save(folder.At("reduced"));
        File.ReadAllBytes(folder.At("reduced")).Should().Equal(File.ReadAllBytes(folder.At("before")));
        using (var loaded = RealNvpModel.Load(folder.At("reduced"))) loaded.ConditionerDtype.Should().BeNull();
        model.ConditionerDtype = null;
        model.LogProb(x).bytes.SequenceEqual(before.bytes).Should().BeTrue();
        model.Sample(20, seed: 1).bytes.SequenceEqual(samples.bytes).Should().BeTrue();
    }

    [Fact]
    public void In_float64_networks_keep_their_digits_and_networks_of_ones_own_always_do()
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([4], new Chain(
            new AffineCouplingLayer([4], Mask.FirstHalf(4), nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 4))),
            new AffineCouplingLayer([4], !Mask.FirstHalf(4), new Own())));
        var x = randn(5, 4);
        var before = flow.LogProb(x);
        flow.ConditionerDtype = ScalarType.BFloat16;
        flow.LogProb(x).bytes.SequenceEqual(before.bytes).Should().BeTrue();
        using var model = PresetTable.Create("Tabular");
        var y = randn([5, 5], float64);
        before = model.LogProb(y);
        model.ConditionerDtype = ScalarType.BFloat16;
        model.LogProb(y).bytes.SequenceEqual(before.bytes).Should().BeTrue();
    }

    [Fact]
    public void A_whole_flow_trains_and_is_invertible_up_to_a_few_numbers_that_round_the_other_way()
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        using var model = RealNvpOptions.Tabular(6).NewModel();
        model.ConditionerDtype = ScalarType.BFloat16;
        var x = randn(256, 6).cumsum(1);
        using (var trainer = new Trainer(model, new TrainingOptions { Epochs = 8, BatchSize = 64, ValidationFraction = 0 }))
        {
            var history = trainer.Fit(TrainingData.From(x)).History;
            history[^1].Loss.Should().BeLessThan(history[0].Loss - 0.5);
        }
        var off = model.Decode(model.Encode(x)).sub(x).abs();
        off.median().item<float>().Should().BeLessThan(1e-5f);
        off.max().item<float>().Should().BeLessThan((float)SomeRoundings * x.abs().max().item<float>());
        model.LogProb(x).sub(model.SampleAndLogProb(1).LogProb.sum().mul(0)).isfinite().all().item<bool>().Should().BeTrue();
    }

    [Fact]
    public void Features_one_after_the_other_get_the_parameters_of_one_pass()
    {
        using var scope = NewDisposeScope();
        foreach (var (residual, grad) in new[] { (true, false), (true, true), (false, false) })
        {
            using var mode = set_grad_enabled(grad);
            using var made = new Made(7, 3, new() { Hidden = 40, Blocks = 2, Residual = residual, ContextSize = 2,
                Order = [3, 1, 0, 6, 2, 4, 5] });
            using (no_grad())
                foreach (var parameter in made.parameters()) parameter.normal_(0, 0.3);
            ((IHasComputeDtype)made).ComputeDtype = ScalarType.BFloat16;
            var (x, context) = (randn(64, 7), randn(64, 2));
            var seen = new Dictionary<long, Tensor>();
            made.Sequential(x, context, (feature, parameters) =>
            {
                parameters.dtype.Should().Be(float32);
                seen.Add(feature, parameters.detach().clone().MoveToOuterDisposeScope().MoveToOuterDisposeScope());
                return (x.narrow(1, feature, 1), null);
            });
            var all = stack([.. Enumerable.Range(0, 7).Select(f => seen[f])], 2).flatten(1);
            var pass = made.call(x, context);
            pass.dtype.Should().Be(float32);
            var off = all.sub(pass).abs();
            off.median().item<float>().Should().Be(0, "most sums round the same way");
            off.max().item<float>().Should().BeLessThan((float)SomeRoundings * pass.abs().max().item<float>());
        }
    }

    [Theory, InlineData(ScalarType.Float16), InlineData(ScalarType.Float64), InlineData(ScalarType.Int8)]
    public void Another_dtype_is_refused(ScalarType dtype)
    {
        using var model = RealNvpOptions.Toy2D.NewModel();
        var set = () => model.ConditionerDtype = dtype;
        set.Should().Throw<ArgumentException>()
            .WithMessage($"*ConditionerDtype was set to {dtype}; expected ScalarType.BFloat16, or null*");
        model.ConditionerDtype.Should().BeNull();
    }

    private static (Flow Flow, Tensor X, Tensor? Context) Make(string name)
    {
        manual_seed(3);
        var layer = layers[name]();
        var shape = layer.InputShape!.Value;
        var flow = new Flow(shape, layer);
        // a network that ends in zeros would hide what it rounds
        RandomWeights.Draw(flow, 2, 0.1);
        return (flow, randn(shape.WithBatch(64)), layer.ContextSize > 0 ? randn(64, layer.ContextSize) : null);
    }

    private static double Apart(Tensor a, Tensor b) => a.sub(b).abs().max().item<float>() / Math.Max(1, b.abs().max().item<float>());

    private static Bijection Reduced(Bijection layer)
    {
        ConditionerMath.SetDtype(layer, ScalarType.BFloat16);
        return layer;
    }

    private static bool HasConditioner(Func<Bijection> make)
    {
        using var layer = make();
        return layer.modules().Any(m => m is Conditioner);
    }

    private sealed class Own : Conditioner
    {
        private readonly WeightNormConv2d conv = new(1, 2, 1);

        public Own() : base(nameof(Own), 0) => RegisterComponents();

        public override Tensor forward(Tensor input, Tensor? context)
        {
            using var scope = NewDisposeScope();
            return scope.MoveToOuter(conv.call(input.view(-1, 1, 1, 2)).reshape(-1, 4));
        }
    }
}
