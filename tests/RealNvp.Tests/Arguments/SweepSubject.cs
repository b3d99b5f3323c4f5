using System.Reflection;
using RealNvp.Checking;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Arguments;

/// <summary>Something that has public members, and arguments that fit these.</summary>
/// <param name="Name">What it is called in reports.</param>
/// <param name="Make">Makes one; each call gets a new one.</param>
/// <param name="Tensors">A fitting tensor for a parameter of this name, given the object; null where there is none.</param>
internal sealed record SweepSubject(string Name, Func<object> Make, Func<object, string, Tensor?> Tensors)
{
    private const int N = 2;

    // one of each class, and some with a context
    private static readonly string[] models = ["Toy2D", "Tabular, context", "Image, odd last scale, context, additive", "NICE, Tabular",
        "Spline, Tabular", "MAF, Tabular", "MAF, mixture, plain blocks", "IAF, Tabular", "Glow, Digits8x8"];

    public static IEnumerable<SweepSubject> All()
    {
        foreach (var layer in LayerTable.All.DistinctBy(KindOf))
            yield return new(layer.Name, layer.Make, (b, name) => OfBijection((Bijection)b, name, layer.Shape, layer.Sample));
        foreach (var name in models) yield return new(name, PresetTable.All[name].Build, (m, parameter) => OfFlow((Flow)m, parameter));
        foreach (var network in Networks()) yield return network;
        foreach (var transformer in Transformers()) yield return transformer;
        foreach (var make in new Func<Density>[] { () => new StandardNormal([4]), () => new StandardLogistic([4]),
            () => new DiagonalNormal([4]), () => new DiagonalNormal([4], 3), () => new ClassConditionalNormal([4], 3), () =>
            new GaussianMixture([4], 2), () => new GaussianMixture([4], 2, 3), () => new StudentT([4]), () => new UniformBox([4]), () =>
            new ResampledNormal([4]) })
        {
            using var density = make();
            yield return new($"{density.GetName()}{(density.ContextSize > 0 ? ", context" : "")}", make, (d, parameter) =>
                parameter == "context" ? ((Density)d).ContextSize > 0 ? zeros(N, ((Density)d).ContextSize) : null : zeros(N, 4).add(0.5));
        }
        yield return new("flow of labels",
            () => new Flow([4], new Chain(new AffineCouplingLayer([4], Mask.FirstHalf(4), new ResidualMlp(2, 4, 8, 1, 3))), null,
            new LabelEncoder(3)), (f, parameter) => parameter == "context" ? zeros(N, int64) : OfFlow((Flow)f, parameter));
        yield return new("flow on a box", () => new Flow([4], new DiagonalScaling([4]), new UniformBox([4])),
            (f, parameter) => OfFlow((Flow)f, parameter));
        yield return new("distribution", () => new FlowDistribution(Model()), (_, parameter) => parameter == "value" ? zeros(N, 4) : null);
        yield return new("distribution, context", () => new FlowDistribution(Model(3), zeros(N, 3)), (_, parameter) => parameter == "value"
            ? zeros(N, 4) : null);
        yield return new("trainer", () => new Trainer(Model(), new TrainingOptions { Epochs = 1 }), (_, _) => null);
        yield return new("optimizer", () => new AdamOptimizer(Model()), (_, _) => null);
        yield return new("mask", () => Mask.Checkerboard(4, 4), (_, _) => null);
        yield return new("shape", () => EventShape.Create(2, 4, 4), (_, _) => null);
        foreach (var schedule in new LearningRateSchedule[] { new ConstantSchedule(), new CosineSchedule(), new ExponentialSchedule(),
                new StepSchedule() })
            yield return new(schedule.GetType().Name, () => schedule, (_, _) => null);
    }

    public static RealNvpModel Model(long context = 0) =>
        new(RealNvpOptions.Tabular(4) with { Layers = 2, Hidden = 4, Blocks = 1, ContextSize = context, Standardize = false }, 1);

    public static IEnumerable<SweepSubject> Transformers()
    {
        foreach (var make in new Func<ScalarTransformer>[] { () => new AdditiveTransformer(), () => new AffineTransformer([1]),
            () => new AffineTransformer([4]), () => new SplineTransformer(3, 2), () => new SplineTransformer(3, 2, SplineTails.Box), () =>
            new SplineTransformer(3, 2, SplineTails.Circular), () => new MixtureCdfTransformer(2), () =>
            new SigmoidAffineTransformer(), () => new StandardizingTransformer() })
        {
            using var transformer = make();
            yield return new(transformer.GetName(), make, (t, parameter) => parameter == "parameters"
                ? zeros(N, 4 * ((ScalarTransformer)t).ParametersPerElement) : zeros(N, 4));
        }
    }

    /// <summary>The shape of a fitting input of a network.</summary>
    public long[] Input { get; init; } = [];

    public static IEnumerable<SweepSubject> Networks()
    {
        foreach (var (name, make, input, context) in NetworkCases())
            yield return new(name, make, (_, parameter) => parameter == "input" ? zeros(input).add(0.5) : parameter == "context"
                && context > 0 ? zeros(N, context) : null) { Input = input };
    }

    private static IEnumerable<(string, Func<object>, long[], long)> NetworkCases()
    {
        yield return ("MLP", () => new Mlp(2, 4, 8, 1), [N, 2], 0);
        yield return ("MLP, context", () => new Mlp(2, 4, 8, 1, 3), [N, 2], 3);
        yield return ("residual MLP", () => new ResidualMlp(2, 4, 8, 1), [N, 2], 0);
        yield return ("residual MLP, context", () => new ResidualMlp(2, 4, 8, 1, 3), [N, 2], 3);
        yield return ("MADE", () => new Made(4, 2, new() { Hidden = 8 }), [N, 4], 0);
        yield return ("MADE, context", () => new Made(4, 2, new() { Hidden = 8, ContextSize = 3 }), [N, 4], 3);
        yield return ("residual network of images", () => new ResidualConvNet(2, 4, new() { HiddenChannels = 4, Blocks = 1 }), [N, 2, 4, 4],
            0);
        yield return ("residual network of images, context",
            () => new ResidualConvNet(2, 4, new() { HiddenChannels = 4, Blocks = 1, ContextSize = 3 }), [N, 2, 4, 4], 3);
        yield return ("Glow's network", () => new GlowConvNet(2, 4, 5), [N, 2, 4, 4], 0);
        yield return ("Glow's network, context", () => new GlowConvNet(2, 4, 5, 3), [N, 2, 4, 4], 3);
        yield return ("zero convolution", () => new ZeroConv2d(2, 4), [N, 2, 4, 4], 0);
        yield return ("weight-norm convolution", () => new WeightNormConv2d(2, 4, 3), [N, 2, 4, 4], 0);
        yield return ("batch norm of channels", () => new ChannelBatchNorm(2), [N, 2, 4, 4], 0);
        yield return ("encoder with a network", () => new NetworkEncoder([4], 3, nn.Linear(4, 3)), [N, 4], 0);
        yield return ("encoder of labels, learned", () => new LabelEncoder(3, 2), [N], 0);
        yield return ("encoder of labels", () => new LabelEncoder(3), [N], 0);
    }

    // a layer of each class, with and without a context, for vectors and for images
    private static (Type, bool, int) KindOf(LayerCase layer)
    {
        using var made = layer.Make();
        return (made.GetType(), made.ContextSize > 0, layer.Shape.Count);
    }

    private static Tensor? OfBijection(Bijection b, string parameter, EventShape shape, Func<Tensor>? sample)
    {
        if (parameter == "context") return b.ContextSize > 0 ? zeros(N, b.ContextSize) : null;
        var x = sample?.Invoke().narrow(0, 0, N).to(float32) ?? zeros(shape.WithBatch(N)).add(0.5);
        return parameter == "z" ? b.Forward(x, b.ContextSize > 0 ? zeros(N, b.ContextSize) : null).Value.detach() : x;
    }

    private static Tensor? OfFlow(Flow f, string parameter) => parameter switch
    {
        "context" => f.ContextSize > 0 ? zeros(N, f.ContextSize) : null,
        "z" => zeros(f.LatentShape.WithBatch(N)),
        "parts" => zeros(f.LatentShape.WithBatch(N)),
        _ => zeros(f.InputShape.WithBatch(N)),
    };
}
