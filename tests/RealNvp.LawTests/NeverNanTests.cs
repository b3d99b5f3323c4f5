using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Laws;

/// <summary>With inputs of any size and weights from N(0, 10²), results and gradients in float32 are
/// finite, a density that is too small for it minus infinity, or an error names the layer.</summary>
public class NeverNanTests
{
    public static IReadOnlyDictionary<string, Func<ScalarTransformer>> Transformers { get; } =
        new Dictionary<string, Func<ScalarTransformer>>
    {
        ["affine"] = () => new AffineTransformer([1]),
        ["affine, shift first"] = () => new AffineTransformer([1], AffineOrder.ShiftThenScale),
        ["additive"] = () => new AdditiveTransformer(),
        ["sigmoid affine"] = () => new SigmoidAffineTransformer(),
        ["standardizing"] = () => new StandardizingTransformer(),
        ["spline, linear tails"] = () => new SplineTransformer(8, 3),
        ["spline, 64 bins"] = () => new SplineTransformer(64, 10),
        ["spline, box"] = () => new SplineTransformer(8, 3, SplineTails.Box),
        ["spline, circular"] = () => new SplineTransformer(8, Math.PI, SplineTails.Circular),
        ["circular shift"] = () => new CircularShiftTransformer(),
        ["mixed"] = () => new MixedTransformer(new SplineTransformer(8, Math.PI, SplineTails.Circular)),
        ["mixture"] = () => new MixtureCdfTransformer(8),
        // those of imported flows; with ScaleFunction.Exp e^a has no bound, as normflows has it
        ["imported scale, sigmoid"] = () => new ScaleShiftTransformer(ScaleFunction.Sigmoid),
        ["imported scale, softplus"] = () => new ScaleShiftTransformer(ScaleFunction.Softplus),
        ["imported scale, softplus up to 3"] = () => new ScaleShiftTransformer(ScaleFunction.SoftplusUpTo3),
        ["imported scale, soft clip"] = () => new ScaleShiftTransformer(ScaleFunction.SoftClippedExp),
        ["imported spline of nflows"] = () => new ImportedSpline(new SplineTransformer(8, 3), null),
        ["imported spline of nflows, box"] = () => new ImportedSpline(new SplineTransformer(8, 3, SplineTails.Box), null),
        ["imported spline of zuko"] = () => new ImportedSpline(new SplineTransformer(8, -5, 5, SplineTails.Linear, 1e-6, 1e-6), 1e-3),
    };

    public static TheoryData<string> TransformerNames => [.. Transformers.Keys];

    public static TheoryData<string> Presets => [.. PresetTable.All.Where(p => p.Value is not FfjordOptions).Select(p => p.Key)];

    // their solvers take many steps with such weights
    public static TheoryData<string> SolvedPresets => [.. PresetTable.All.Where(p => p.Value is FfjordOptions).Select(p => p.Key)];

    [Fact]
    public void Every_transformer_is_in_the_table() =>
        typeof(ScalarTransformer).Assembly.GetTypes().Where(t => !t.IsAbstract && t.IsSubclassOf(typeof(ScalarTransformer)))
            .Should().OnlyContain(t => Transformers.Values.Any(make => Made(make) == t));

    [Theory, MemberData(nameof(TransformerNames))]
    public void A_transformer_is_finite_in_both_directions_with_its_gradients(string name)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        using var transformer = Transformers[name]();
        foreach (var parameter in transformer.parameters()) using (no_grad()) parameter.normal_(0, 10, generator);
        var box = name.Contains("box", StringComparison.Ordinal);
        var sizes = box ? new[] { 0f, 3f, -3f, 2.9999998f } : [0f, float.Epsilon, 1f, -1f, 3f, -3f, 1e4f, -1e4f, 1e20f, -1e20f];
        var some = box ? rand([500, 1], generator: generator).mul(6).sub(3) : randn([500, 1], generator: generator).mul(3);
        var x = cat([some, tensor(sizes.SelectMany(s => Enumerable.Repeat(s, 20)).ToArray()).unsqueeze(1)]);
        foreach (var spread in new[] { 1, 10, 100 })
        {
            var theta = randn([x.shape[0], transformer.ParametersPerElement], generator: generator).mul(spread);
            foreach (var inverse in new[] { false, true })
            {
                var (input, parameters) = (x.clone().requires_grad_(), theta.clone().requires_grad_());
                var (value, logDerivative) = inverse ? transformer.Inverse(input, parameters) : transformer.Forward(input, parameters);
                IsFinite(value).Should().BeTrue("values, inverse: {0}, spread {1}", inverse, spread);
                var objective = value.mul(value.detach().abs().add(1).reciprocal()).sum();
                if (logDerivative is not null)
                {
                    IsFinite(logDerivative).Should().BeTrue("log-derivatives, inverse: {0}, spread {1}", inverse, spread);
                    objective = objective.add(logDerivative.sum());
                }
                objective.backward();
                IsFinite(input.grad!).Should().BeTrue("gradients of the input, inverse: {0}, spread {1}", inverse, spread);
                IsFinite(parameters.grad!).Should().BeTrue("gradients of the parameters, inverse: {0}, spread {1}", inverse, spread);
            }
        }
    }

    [SlowTheory, MemberData(nameof(SolvedPresets))]
    public void A_model_that_is_solved_for_is_finite_or_its_error_names_the_layer(string name) =>
        A_model_is_finite_with_its_gradients_or_names_the_layer(name);

    [Theory, MemberData(nameof(Presets))]
    public void A_model_is_finite_with_its_gradients_or_names_the_layer(string name)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(4);
        var options = PresetTable.All[name];
        // the table's tolerance is for float64
        if (options is FfjordOptions solved) options = solved with { Tolerance = null };
        using var model = options.NewModel(seed: 1);
        model.eval();
        using (no_grad())
            foreach (var parameter in model.parameters()) parameter.normal_(0, 10, generator);
        var context = PresetTable.Context(options, 1)?.to(float32);
        Tensor[] inputs = options.Levels > 0
            ? [zeros(options.Shape.WithBatch(1), dtype: float32), full(options.Shape.WithBatch(1), options.Levels - 1, dtype: float32),
                randint(options.Levels, options.Shape.WithBatch(1), dtype: float32, generator: generator)]
            : [.. new[] { 0f, 1f, 1e4f, 1e10f, 1e30f }.Select(size => randn(options.Shape.WithBatch(1), generator: generator).mul(size))];
        // a flow on a sphere takes unit vectors alone
        if (options.Base == BaseDensityKind.UniformSphere) inputs = [.. Enumerable.Range(0, 3).Select(i =>
            PresetTable.Examples(options, 1, seed: i + 1).to(float32))];
        foreach (var input in inputs)
        {
            foreach (var parameter in model.parameters()) parameter.grad = null;
            var x = input.clone().requires_grad_();
            try
            {
                var logProb = model.LogProb(x, context, seed: 1);
                if (logProb.item<float>() == float.NegativeInfinity)
                {
                    // what float64 can hold says that it, or the latent, is beyond all that float32 can hold
                    using var exact = options.NewModel();
                    exact.load_state_dict(new Dictionary<string, Tensor>(model.state_dict()));
                    exact.to(float64);
                    var latent = exact.Encode(x.detach().to(float64), context?.to(float64), seed: 1).abs().max().item<double>();
                    if (latent <= float.MaxValue)
                        exact.LogProb(x.detach().to(float64), context?.to(float64), seed: 1).item<double>().Should()
                            .BeLessThan(-float.MaxValue);
                    continue;
                }
                IsFinite(logProb).Should().BeTrue();
                // the slope of a log-density of -1e30 may pass 3e38 itself; there the trainer's error names the weight
                if (Math.Abs(logProb.item<float>()) > 1e30f) continue;
                logProb.sum().backward();
                IsFinite(x.grad!).Should().BeTrue("the gradient of x is finite where log p = {0}", logProb.item<float>());
                foreach (var (key, parameter) in model.named_parameters())
                    if (parameter.grad is { } gradient)
                        IsFinite(gradient).Should().BeTrue("the gradient of {0} is finite where log p = {1}", key, logProb.item<float>());
            }
            catch (OdeException e) { e.Layer.Should().MatchRegex("^bijection.*layers", "{0}", e.Message); }
            catch (NonFiniteException e) { e.Layer.Should().MatchRegex("^(bijection.*layers|base_density)", "{0}", e.Message); }
        }
    }

    private static bool IsFinite(Tensor tensor) => tensor.isfinite().all().item<bool>();

    private static Type Made(Func<ScalarTransformer> make)
    {
        using var transformer = make();
        return transformer.GetType();
    }
}
