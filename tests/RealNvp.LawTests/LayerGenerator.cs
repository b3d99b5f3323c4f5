using System.Globalization;
using CsCheck;

namespace RealNvp.Tests.Laws;

/// <summary>A random layer or chain, with the C# expression that makes it.</summary>
/// <param name="Code">What to paste into a test.</param>
/// <param name="Make">Makes the same.</param>
/// <param name="Out">The shape of z.</param>
public sealed record GeneratedLayer(string Code, Func<Bijection> Make, EventShape Out)
{
    /// <summary>The largest input that the layer can invert: some parameters that extremes give have no inverse in any dtype.</summary>
    public double Extreme { get; init; } = 1e4;

    /// <summary>How far from their initial values the weights are drawn.</summary>
    public double Spread { get; init; } = 0.3;
}

/// <summary>Random layers with random shapes, masks and options, as CsCheck generators, so that a failing case shrinks.</summary>
public static partial class LayerGenerator
{
    /// <summary>Every kind of layer that can stand in a chain, by name.</summary>
    public static IReadOnlyDictionary<string, Func<EventShape, long, Gen<GeneratedLayer>?>> Kinds { get; } =
        new Dictionary<string, Func<EventShape, long, Gen<GeneratedLayer>?>>
    {
        ["affine"] = (shape, context) => Coupling(shape, context, "AffineCouplingLayer"),
        ["additive"] = (shape, context) => Coupling(shape, context, "AdditiveCouplingLayer"),
        ["general"] = (shape, context) => Coupling(shape, context, "CouplingLayer"),
        ["spline"] = Spline,
        ["mixture"] = Mixture,
        ["autoregressive"] = Autoregressive,
        ["scaling"] = (shape, _) =>
            Gen.Const(new GeneratedLayer($"new DiagonalScaling({Text(shape)})", () => new DiagonalScaling(shape), shape)),
        ["permutation"] = (shape, _) => Gen.Int[0, 1000].Select(seed => new GeneratedLayer($"Permutation.Random({Text(shape)}, {seed})",
            () => Permutation.Random(shape, seed), shape)),
        ["linear"] = (shape, _) =>
            OneOf(Enum.GetValues<LinearForm>())
                .Select(form => new GeneratedLayer($"new InvertibleLinearLayer({Text(shape)}, LinearForm.{form})",
                () => new InvertibleLinearLayer(shape, form), shape)),
        ["periodic convolution"] = (shape, _) => shape.Count == 3 ? Gen.Long[1, Math.Min(shape[1], shape[2])]
            .Select(d => new GeneratedLayer($"new PeriodicConv2d({Text(shape)}, {d})", () => new PeriodicConv2d(shape, d), shape)) : null,
        ["act norm"] = (shape, _) => Gen.Const(new GeneratedLayer($"new ActNorm({Text(shape)})", () => new ActNorm(shape), shape)),
        ["batch norm"] = (shape, _) => BatchNorm(shape),
        ["standardization"] = (shape, _) =>
            Gen.Const(new GeneratedLayer($"new Standardization({Text(shape)})", () => new Standardization(shape), shape)),
        ["planar"] = (shape, _) =>
            shape.Count == 1
                ? OneOf(Enum.GetValues<PlanarActivation>()).Select(h =>
                new GeneratedLayer($"new PlanarLayer({Text(shape)}, PlanarActivation.{h})", () => new PlanarLayer(shape, h), shape)) : null,
        ["radial"] = (shape, _) =>
            shape.Count == 1 ? Gen.Const(new GeneratedLayer($"new RadialLayer({Text(shape)})", () => new RadialLayer(shape), shape)) : null,
        ["Sylvester"] = (shape, _) => shape.Count == 1 ? Gen.Long[1, shape[0]]
            .Select(m => new GeneratedLayer($"new SylvesterLayer({Text(shape)}, {m})", () => new SylvesterLayer(shape, m), shape)) : null,
        ["squeeze"] = (shape, _) => shape.Count == 3 && shape[1] % 2 == 0 && shape[2] % 2 == 0 ? Squeeze(shape) : null,
        ["Haar squeeze"] = (shape, _) => shape.Count == 3 && shape[1] % 2 == 0 && shape[2] % 2 == 0
            ? Gen.Const(new GeneratedLayer($"new HaarSqueeze({Text(shape)})", () => new HaarSqueeze(shape),
            [4 * shape[0], shape[1] / 2, shape[2] / 2])) : null,
        ["unsqueeze"] = (shape, _) => shape.Count == 3 && shape[0] % 4 == 0 ? Unsqueeze(shape) : null,
        ["flip"] = (shape, _) =>
            shape.Count == 3 ? Gen.Const(new GeneratedLayer("new RandomHorizontalFlip()", () => new RandomHorizontalFlip(), shape)) : null,
        ["inverted"] = (shape, context) =>
            Coupling(shape, context, "AffineCouplingLayer")?.Select(l => new GeneratedLayer($"new InvertedLayer({l.Code})",
                () => new InvertedLayer(l.Make()), l.Out)),
        ["multi-scale"] = MultiScaleLayer,
        ["residual"] = Residual,
        ["continuous"] = Continuous,
    };

    /// <summary>Those that FlowCheck needs seconds for, since each of its many calls solves an equation or searches for an inverse:
    /// how many a plain run has.</summary>
    public static IReadOnlyDictionary<string, uint> Slow { get; } = new Dictionary<string, uint> { ["continuous"] = 0, ["residual"] = 2 };

    /// <summary>Vectors of 1 to 6 features and images of up to 36 elements.</summary>
    public static Gen<EventShape> Shapes { get; } = Gen.OneOf(
        Gen.Long[1, 6].Select(d => EventShape.Create(d)),
        Gen.Select(Gen.Long[1, 4], Gen.Long[1, 4], Gen.Long[1, 4], (c, h, w) => EventShape.Create(c, h, w)).Where(s => s.NumElements <= 36),
        Gen.Select(Gen.Long[1, 2], OneOf(2L, 4L), OneOf(2L, 4L), (c, h, w) => EventShape.Create(c, h, w)));

    /// <summary>One layer of a kind, on a shape that it fits; with the shape.</summary>
    public static Gen<(EventShape Shape, GeneratedLayer Layer)> Layer(string kind) =>
        from at in Gen.Select(Shapes, Gen.Long[0, 2]).Where(at => Kinds[kind](at.Item1, at.Item2) is not null)
        from layer in Kinds[kind](at.Item1, at.Item2)!
        select (at.Item1, layer);

    /// <summary>Chains of 1 to 4 layers.</summary>
    public static Gen<(EventShape Shape, GeneratedLayer Layer)> Chains { get; } = ChainsOf(k => !Slow.ContainsKey(k));

    /// <summary>The same with the slow kinds too.</summary>
    public static Gen<(EventShape Shape, GeneratedLayer Layer)> AllChains { get; } = ChainsOf(_ => true);

    private static Gen<(EventShape Shape, GeneratedLayer Layer)> ChainsOf(Func<string, bool> takes) =>
        from at in Gen.Select(Shapes, Gen.Long[0, 2], Gen.Int[1, 4])
        from layers in Several(at.Item1, at.Item2, at.Item3, takes)
        select (at.Item1, Join(layers));

    public static string Text(EventShape shape) => $"[{string.Join(", ", shape)}]";

    private static Gen<GeneratedLayer[]> Several(EventShape shape, long context, int count, Func<string, bool> takes) =>
        count == 0 ? Gen.Const(Array.Empty<GeneratedLayer>()) :
        from first in Any(shape, context, takes)
        from rest in Several(first.Out, context, count - 1, takes)
        select (GeneratedLayer[])[first, .. rest];

    private static Gen<GeneratedLayer> Any(EventShape shape, long context, Func<string, bool> takes) =>
        Gen.OneOf([.. Kinds.Where(k => takes(k.Key)).Select(k => k.Value(shape, context)).OfType<Gen<GeneratedLayer>>()]);

    private static GeneratedLayer Join(GeneratedLayer[] layers) =>
        new($"new Chain({string.Join(", ", layers.Select(l => l.Code))})", () => new Chain([.. layers.Select(l => l.Make())]),
            layers[^1].Out) { Extreme = layers.Min(l => l.Extreme), Spread = layers.Min(l => l.Spread) };

    private static Gen<GeneratedLayer>? Coupling(EventShape shape, long context, string type)
    {
        if (Masks(shape) is not { } masks) return null;
        return from mask in masks
               from options in Gen.Select(Gen.Bool, Gen.Bool, Gen.Bool, Gen.Int[0, 2])
               let parts = CouplingLayer.PartShapes(shape, mask.Make())
               let asInput = shape.Count == 3 && mask.OfPixels && options.Item1
               let order = options.Item2 ? AffineOrder.ShiftThenScale : AffineOrder.ScaleThenShift
               from net in Network(shape.Count == 3, parts.Kept[0] + (asInput ? 1 : 0), parts.Changed[0] * (type == "AdditiveCouplingLayer"
                   ? 1 : 2), context)
               select Couple(shape, type, mask, net, order, asInput, options.Item3, parts.Changed);
    }

    private static GeneratedLayer Couple(EventShape shape, string type, GeneratedMask mask, GeneratedNetwork net, AffineOrder order,
        bool asInput, bool oneScale, EventShape changed)
    {
        var tail = asInput ? ", maskAsInput: true" : "";
        EventShape scale = oneScale ? [1] : EventShape.Create([changed[0], .. changed.Skip(1).Select(_ => 1L)]);
        return type switch
        {
            "AffineCouplingLayer" => new($"new {type}({Text(shape)}, {mask.Code}, {net.Code}, AffineOrder.{order}{tail})",
                () => new AffineCouplingLayer(shape, mask.Make(), net.Make(), order, asInput), shape),
            "AdditiveCouplingLayer" => new($"new {type}({Text(shape)}, {mask.Code}, {net.Code}{tail})",
                () => new AdditiveCouplingLayer(shape, mask.Make(), net.Make(), asInput), shape),
            _ => new($"new {type}({Text(shape)}, {mask.Code}, new AffineTransformer({Text(scale)}, AffineOrder.{order}), {net.Code}{tail})",
                () => new CouplingLayer(shape, mask.Make(), new AffineTransformer(scale, order), net.Make(), asInput), shape),
        };
    }

    // extremes that reach the network leave bins, and gaps between the parts of a mixture,
    // so flat, log-dets of -40 and less, that float64 cannot tell their values apart
    private const double SteepExtreme = 10;

    // and with weights far out some draws have derivatives of e^20 and more, where
    // float64 proves nothing; the table of layers goes further with known ones
    private const double SteepSpread = 0.15;

    // with linear tails: a box and a circle are made for data of a range, which a random chain does not know; the table of layers has them
    private static Gen<GeneratedLayer>? Spline(EventShape shape, long context)
    {
        if (Masks(shape) is not { } masks) return null;
        return from mask in masks
               // one bin with linear tails is the identity, and one much narrower
               // than the data sees too few values to depend on its network
               from options in Gen.Select(Gen.Int[2, 6], OneOf(1.5, 3.0, 10.0))
               let parts = CouplingLayer.PartShapes(shape, mask.Make())
               from net in Network(shape.Count == 3, parts.Kept[0], parts.Changed[0] * ((3 * options.Item1) - 1), context)
               select new GeneratedLayer(
                   $"new CouplingLayer({Text(shape)}, {mask.Code}, new SplineTransformer({options.Item1}, " +
                   $"{options.Item2.ToString(CultureInfo.InvariantCulture)}), {net.Code})", () =>
                   new CouplingLayer(shape, mask.Make(), new SplineTransformer(options.Item1, options.Item2), net.Make()),
                   shape) { Extreme = SteepExtreme, Spread = SteepSpread };
    }

    private static Gen<GeneratedLayer>? Mixture(EventShape shape, long context)
    {
        if (Masks(shape) is not { } masks) return null;
        return from mask in masks
               from components in Gen.Int[1, 4]
               let parts = CouplingLayer.PartShapes(shape, mask.Make())
               from net in Network(shape.Count == 3, parts.Kept[0], parts.Changed[0] * ((3 * components) + 2), context)
               select new GeneratedLayer(
                   $"new CouplingLayer({Text(shape)}, {mask.Code}, new MixtureCdfTransformer({components}), {net.Code})", () =>
                   new CouplingLayer(shape, mask.Make(), new MixtureCdfTransformer(components), net.Make()),
                   shape) { Extreme = SteepExtreme, Spread = SteepSpread };
    }

    private static Gen<GeneratedLayer>? Autoregressive(EventShape shape, long context)
    {
        if (shape.Count != 1) return null;
        var features = shape[0];
        return from sizes in Gen.Select(Gen.Long[4, 12], Gen.Int[0, 2], Gen.Bool)
               from order in Gen.Shuffle(Enumerable.Range(0, (int)features).Select(i => (long)i).ToArray())
               from transformer in OneOf<(string Code, Func<ScalarTransformer> Make)>(("new AffineTransformer([1])",
                   () => new AffineTransformer([1])), ("new AdditiveTransformer()", () =>
                   new AdditiveTransformer()), ("new SplineTransformer(3)", () =>
                   new SplineTransformer(3)), ("new MixtureCdfTransformer(2)", () => new MixtureCdfTransformer(2)))
               let options = new MadeOptions { Hidden = sizes.Item1, Blocks = sizes.Item2, Residual = sizes.Item3, Order = order,
                   ContextSize = context }
               let parameters = ParametersOf(transformer.Make)
               let steep = transformer.Code.Contains("Spline", StringComparison.Ordinal)
                   || transformer.Code.Contains("Mixture", StringComparison.Ordinal)
               select new GeneratedLayer(
                   $"new AutoregressiveLayer({transformer.Code}, new Made({features}, {parameters}, new() {{ Hidden = {options.Hidden}, " +
                       $"Blocks = {options.Blocks}, Residual = {Bool(options.Residual)}, Order = [{string.Join(", ", order)}], " +
                       $"ContextSize = {context} }}))",
                   () => new AutoregressiveLayer(transformer.Make(), new Made(features, parameters, options)), shape) { Extreme = steep
                       ? SteepExtreme : 1e4, Spread = steep ? SteepSpread : 0.3 };
    }

    // as many elements as have an exact log-determinant
    private static Gen<GeneratedLayer>? Residual(EventShape shape, long context)
    {
        if (shape.NumElements > 12) return null;
        var image = shape.Count == 3;
        return from sizes in Gen.Select(Gen.Long[2, 6], Gen.Int[1, 2], OneOf(1L, 3L))
               from options in Gen.Select(OneOf(Enum.GetValues<ActivationKind>()), OneOf(0.5, 0.9), OneOf(1, 2, double.PositiveInfinity),
                   Gen.Bool)
               let activation = options.Item1
               // CLipSwish is bounded in the 2-norm alone
               let norm = activation == ActivationKind.CLipSwish ? 2 : options.Item3
               let text = (double.IsPositiveInfinity(norm) ? "double.PositiveInfinity" : norm.ToString(CultureInfo.InvariantCulture))
               let tail = $"ActivationKind.{activation}, {options.Item2.ToString(CultureInfo.InvariantCulture)}, contextSize: {context}, " +
                   $"activatesInput: {Bool(options.Item4)}, norm: {text})"
               select image
                   ? new GeneratedLayer(
                       $"new ResidualLayer({Text(shape)}, new LipschitzConvNet({Text(shape)}, {shape[0]}, {sizes.Item1}, " +
                       $"[{sizes.Item3}, 1], {tail})",
                       () => new ResidualLayer(shape, new LipschitzConvNet(shape, shape[0], sizes.Item1, [sizes.Item3, 1], activation,
                           options.Item2, context, options.Item4, norm: norm)), shape)
                   : new GeneratedLayer($"new ResidualLayer({Text(shape)}, new LipschitzMlp({shape[0]}, {shape[0]}, {sizes.Item1}, " +
                       $"{sizes.Item2}, {tail})",
                       () => new ResidualLayer(shape, new LipschitzMlp(shape[0], shape[0], sizes.Item1, sizes.Item2, activation,
                           options.Item2, context, options.Item4, norm: norm)), shape);
    }

    // small and smooth, so that solves to the digits that the laws ask for take few steps
    private static Gen<GeneratedLayer>? Continuous(EventShape shape, long context)
    {
        if (shape.NumElements > 4) return null;
        return from hidden in Gen.Long[2, 3]
               from layers in Gen.Int[1, 2]
               from plain in Gen.Bool
               from method in OneOf(OdeMethod.Dopri5, OdeMethod.Tsit5)
               let network = shape.Count == 3
                   ? $"new ConcatSquashConvNet({shape[0]}, {hidden}, {layers}, {context})"
                   : plain ? $"new TimeMlp({Text(shape)}, {hidden}, {layers}, {context})"
                   : $"new ConcatSquashMlp({shape[0]}, {hidden}, {layers}, {context})"
               select new GeneratedLayer(
                   $"new ContinuousLayer({network}, {Text(shape)}, new() {{ Method = OdeMethod.{method}, Tolerance = 1e-12 }})",
                   () => new ContinuousLayer(shape.Count == 3 ? new ConcatSquashConvNet(shape[0], hidden, layers, context)
                       : plain ? new TimeMlp(shape, hidden, layers, context) : new ConcatSquashMlp(shape[0], hidden, layers, context),
                       shape, new() { Method = method, Tolerance = 1e-12 }), shape) { Extreme = SteepExtreme, Spread = 0.2 };
    }

    private static Gen<GeneratedLayer> BatchNorm(EventShape shape) =>
        from mask in Masks(shape) is { } masks ? Gen.OneOf(Gen.Const(() => (GeneratedMask?)null), masks.Select(m => (GeneratedMask?)m))
            : Gen.Const(() => (GeneratedMask?)null)
        from momentum in OneOf(0.0, 0.5, 0.9)
        let code = $"new FlowBatchNorm({Text(shape)}, {mask?.Code ?? "null"}, {momentum.ToString(CultureInfo.InvariantCulture)})"
        select new GeneratedLayer(code, () => new FlowBatchNorm(shape, mask?.Make(), momentum), shape);

    private static Gen<GeneratedLayer> Squeeze(EventShape shape) =>
        from order in OneOf(SqueezeOrder.Plain, SqueezeOrder.Checkerboard)
        select new GeneratedLayer($"new Squeeze({Text(shape)}, SqueezeOrder.{order})", () => new Squeeze(shape, order),
            [4 * shape[0], shape[1] / 2, shape[2] / 2]);

    private static Gen<GeneratedLayer> Unsqueeze(EventShape shape)
    {
        EventShape large = [shape[0] / 4, 2 * shape[1], 2 * shape[2]];
        return Squeeze(large).Select(l => new GeneratedLayer($"new InvertedLayer({l.Code})", () => new InvertedLayer(l.Make()), large));
    }

    private static Gen<GeneratedLayer>? MultiScaleLayer(EventShape shape, long context)
    {
        if (shape.Count != 3 || shape[1] % 2 != 0 || shape[2] % 2 != 0) return null;
        EventShape half = [2 * shape[0], shape[1] / 2, shape[2] / 2];
        if (Coupling(shape, context, "AffineCouplingLayer") is not { } fine
                || Coupling(half, context, "AffineCouplingLayer") is not { } coarse)
            return null;
        return from one in fine
               from squeeze in Squeeze(shape)
               from two in coarse
               select new GeneratedLayer($"new MultiScaleLayer({Text(shape)}, new Chain({one.Code}, {squeeze.Code}), {two.Code})",
                   () => new MultiScaleLayer(shape, new Chain(one.Make(), squeeze.Make()), two.Make()), [shape.NumElements]);
    }

}
