using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Laws;

/// <summary>The table of layers. Every public bijection has at least one row here; the laws run over all rows.</summary>
public static class LayerTable
{
    public static IReadOnlyList<LayerCase> All { get; } =
    [
        new("affine, alternating vector mask", () => Affine([5], Mask.Alternating(5)), [5]),
        new("affine, halves, context", () => Affine([6], Mask.FirstHalf(6), context: 3), [6]),
        new("affine, arbitrary vector mask", () => Affine([5], new Mask([5], [true, false, false, true, false])), [5]),
        new("affine, shift first", () => Affine([4], !Mask.FirstHalf(4), order: AffineOrder.ShiftThenScale), [4]),
        new("affine, input limit, context", () => new AffineCouplingLayer([5], Mask.Alternating(5),
            new ResidualMlp(2, 6, 8, 1, 2, inputLimit: 1.5)), [5]),
        new("affine, any module as conditioner", () => new AffineCouplingLayer([4], Mask.FirstHalf(4),
            nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 4))), [4]),
        new("affine, checkerboard, mask as input", () => AffineImage([2, 4, 4], Mask.Checkerboard(4, 4), maskAsInput: true), [2, 4, 4]),
        new("affine, checkerboard, context", () => AffineImage([1, 4, 4], !Mask.Checkerboard(4, 4), context: 2), [1, 4, 4]),
        new("affine, checkerboard, odd size", () => AffineImage([1, 3, 5], Mask.Checkerboard(3, 5)), [1, 3, 5]),
        new("affine, channel-wise", () => AffineImage([4, 2, 2], Mask.ChannelWise(4), order: AffineOrder.ShiftThenScale), [4, 2, 2]),
        new("affine, channel-wise complement, three channels", () => AffineImage([3, 2, 4], !Mask.ChannelWise(3)), [3, 2, 4]),
        new("affine, arbitrary channels", () => AffineImage([4, 2, 2], new Mask([4, 1, 1], [true, false, true, false])), [4, 2, 2]),
        new("affine, arbitrary image mask", () => AffineImage([2, 3, 3], RandomMask([2, 3, 3])), [2, 3, 3]),
        new("additive, vector", () => new AdditiveCouplingLayer([5], Mask.Alternating(5), size => new ResidualMlp(size.Inputs, size.Outputs,
            8, 1)), [5]),
        new("additive, checkerboard", () => new AdditiveCouplingLayer([1, 4, 4], Mask.Checkerboard(4, 4), Net(1, 1)), [1, 4, 4]),
        new("general coupling, affine with one scale in all", () => new CouplingLayer([4], Mask.FirstHalf(4), new AffineTransformer([1]),
            new ResidualMlp(2, 4, 8, 0)), [4]),
        new("spline, linear tails", () => Spline([4], Mask.Alternating(4), new SplineTransformer(4, 2)),
            [4]) { Options = new() { Points = [-2, 2, 0, -1, 1] } },
        // outside of a box there is no data; with a spread of 1 its derivatives reach e^19, where finite differences have no digits left
        new("spline, box", () => Spline([4], Mask.Alternating(4), new SplineTransformer(4, 2, SplineTails.Box)),
            [4]) { Options = new() { Minimum = -2, Maximum = 2, DrawLatents = false, Points = [-2, 2, 0, -1, 1] }, FarSpread = 0.6 },
        // an angle that is many turns away has lost its digits
        new("spline, circular", () => Spline([4], Mask.Alternating(4), new SplineTransformer(4, Math.PI, SplineTails.Circular)),
            [4]) { Options = new() { Extreme = 20, Points = [-Math.PI, Math.PI, 0, 3 * Math.PI, 1] }, FarSpread = 0.6 },
        new("spline, circular, a network that sees circles",
            () => Torus([4], Mask.Alternating(4), new SplineTransformer(4, Math.PI, SplineTails.Circular), [0, 1, 2, 3]),
            [4]) { Options = new() { Extreme = 20, Points = [-Math.PI, Math.PI, 0, 3 * Math.PI, 1] }, FarSpread = 0.6 },
        new("spline, circles and the line, context", Mixed, [5]) { Options = new() { Extreme = 20, Points = [-3, 4, 0, 2] },
            FarSpread = 0.6 },
        new("circular shift in a coupling", () => Torus([3], !Mask.Alternating(3), new CircularShiftTransformer(), [1]),
            [3]) { Options = new() { Extreme = 20 } },
        new("circular shift, all features", () => new CircularShift([3], shifts: [1, 2, -3]), [3]) { Options = new() { Extreme = 20 } },
        new("circular shift, some pixels", () => new CircularShift([2, 2, 1], [0, 3], -1, 2),
            [2, 2, 1]) { Options = new() { Extreme = 20 } },
        new("wrap", () => new Wrap([3]), [3]) { Options = new() { Extreme = 20 } },
        new("wrap, some features", () => new Wrap([2, 2], [1], 0, 1), [2, 2]) { Options = new() { Extreme = 20 } },
        new("a part of the features", () => new SubsetLayer([5], [0, 2, 3], Affine([3], Mask.Alternating(3), context: 2)), [5]),
        new("all features as a part", () => new SubsetLayer([2], [0, 1], new InvertibleLinearLayer([2])), [2]),
        new("torus, a chain", () => new Chain(new Wrap([3], [0, 2]), Torus([3], Mask.Alternating(3), CirclesAt([0, 2], Mask.Alternating(3)),
            [0, 2]), new CircularShift([3], [0, 2]), new Permutation([3], [2, 1, 0]), Torus([3], !Mask.Alternating(3),
            CirclesAt([0, 2], !Mask.Alternating(3)), [0, 2])), [3]) { Options = new() { Extreme = 20 }, FarSpread = 0.6 },
        new("spline, one bin, context", () => Spline([3], Mask.FirstHalf(3), new SplineTransformer(1, 0, 1, SplineTails.Box), 2),
            [3]) { Options = new() { Minimum = 0, Maximum = 1, DrawLatents = false } },
        new("spline, dropout", () => new CouplingLayer([4], Mask.Alternating(4), new SplineTransformer(4, 2),
            size => new ResidualMlp(size.Inputs, size.Outputs, 8, 1, dropout: 0.3)), [4]),
        new("spline, floors of its own", () => Spline([4], Mask.Alternating(4), new SplineTransformer(4, -2, 2, SplineTails.Linear, 0.02,
            0.1)), [4]) { Options = new() { Points = [-2, 2, 0, -1, 1] } },
        new("spline, dense mask", () => new CouplingLayer([1, 3, 3], Mask.Checkerboard(3, 3), new SplineTransformer(3),
            size => Net(size.Inputs, size.Outputs)), [1, 3, 3]),
        new("spline, channel-wise", () => new CouplingLayer([3, 2, 2], Mask.ChannelWise(3), new SplineTransformer(5),
            size => Net(size.Inputs, size.Outputs)), [3, 2, 2]),
        // extremes that reach the network put means so far apart that the map between them is flat in any dtype
        new("mixture of logistics, vector", () => new CouplingLayer([4], Mask.Alternating(4), new MixtureCdfTransformer(3),
            size => new ResidualMlp(size.Inputs, size.Outputs, 8, 1)), [4]) { Options = new() { Extreme = 10 }, FarSpread = 0.6 },
        new("mixture of logistics, context, one component", () => new CouplingLayer([3], Mask.FirstHalf(3), new MixtureCdfTransformer(1),
            new ResidualMlp(1, 10, 8, 1, 2)), [3]) { Options = new() { Extreme = 10 }, FarSpread = 0.6 },
        new("mixture of logistics, dense mask", () => new CouplingLayer([1, 3, 3], Mask.Checkerboard(3, 3), new MixtureCdfTransformer(2),
            size => Net(size.Inputs, size.Outputs)), [1, 3, 3]) { Options = new() { Extreme = 10 }, FarSpread = 0.6 },
        new("autoregressive, affine", () => Autoregressive(5, new AffineTransformer([1]), new() { Hidden = 12, Blocks = 1 }), [5]),
        new("autoregressive, affine, plain blocks, random order, context", () => Autoregressive(4, new AffineTransformer([1]),
            new() { Hidden = 9, Blocks = 2, Residual = false, Order = [2, 0, 3, 1], ContextSize = 2 }), [4]),
        new("autoregressive, affine, input limit, context", () => Autoregressive(4, new AffineTransformer([1]),
            new() { Hidden = 9, Blocks = 1, Order = [2, 0, 3, 1], ContextSize = 2, InputLimit = 2 }), [4]),
        new("autoregressive, affine, dropout, plain blocks, context", () => Autoregressive(4, new AffineTransformer([1]),
            new() { Hidden = 9, Blocks = 2, Residual = false, ContextSize = 2, Dropout = 0.3 }), [4]),
        new("inverse autoregressive, affine, dropout", () => new InvertedLayer(Autoregressive(4, new AffineTransformer([1]),
            new() { Hidden = 9, Blocks = 1, Dropout = 0.3 })), [4]),
        new("autoregressive, spline, input limit", () => Autoregressive(3, new SplineTransformer(3, 2),
            new() { Hidden = 8, Blocks = 1, InputLimit = 1 }), [3]) { FarSpread = 0.6 },
        new("autoregressive, mixture of logistics, input limit", () => Autoregressive(3, new MixtureCdfTransformer(2),
            new() { Hidden = 8, Blocks = 1, Residual = false, InputLimit = 2 }), [3]) { Options = new() { Extreme = 10 }, FarSpread = 0.6 },
        new("inverse autoregressive, spline, input limit", () => new InvertedLayer(Autoregressive(4, new SplineTransformer(3, 2),
            new() { Hidden = 8, Blocks = 1, InputLimit = 2 })), [4]) { Options = new() { Extreme = 10 }, FarSpread = 0.6 },
        new("autoregressive, residual blocks of nflows, context", () => Autoregressive(4, new AffineTransformer([1]),
            new() { Hidden = 9, Blocks = 2, FinalActivation = false, Order = [1, 3, 0, 2], ContextSize = 2 }), [4]),
        new("autoregressive, additive, no block", () => Autoregressive(3, new AdditiveTransformer(), new() { Hidden = 2, Blocks = 0 }),
            [3]),
        // features one after the other multiply what the derivatives of a spline reach: less spread, as for the box
        new("autoregressive, spline", () => Autoregressive(4, new SplineTransformer(3, 2),
            new() { Hidden = 8, Blocks = 1, Order = [3, 2, 1, 0] }), [4]) { FarSpread = 0.6 },
        new("autoregressive, mixture of logistics, context", () => Autoregressive(3, new MixtureCdfTransformer(2),
            new() { Hidden = 8, Blocks = 1, ContextSize = 1 }), [3]) { Options = new() { Extreme = 10 }, FarSpread = 0.6 },
        new("autoregressive, a map of its own for each feature",
            () =>
            Autoregressive(3, new MixedTransformer(new SplineTransformer(3, 2), new AffineTransformer([1]), new SplineTransformer(3,
            Math.PI, SplineTails.Circular)), new() { Hidden = 8, Blocks = 1 }), [3]) { Options = new() { Extreme = 20 }, FarSpread = 0.6 },
        new("autoregressive, one feature, context", () => Autoregressive(1, new AffineTransformer([1]),
            new() { Hidden = 4, Blocks = 1, ContextSize = 2 }), [1]),
        new("autoregressive, a masked network of the user's", () => new AutoregressiveLayer([4], new AffineTransformer([1]),
            size => MaskedNetworks.Modules(size, [0, 1, 2, 3])), [4]),
        new("autoregressive, a masked network of the user's, spline, order, context",
            () => new AutoregressiveLayer([3], new SplineTransformer(3, 2), size => new MaskedConditioner(size, [2, 0, 1]), [2, 0, 1],
            contextSize: 2), [3]) { FarSpread = 0.6 },
        new("autoregressive, a masked network of the user's, additive, one feature",
            () => new AutoregressiveLayer([1], new AdditiveTransformer(), size => MaskedNetworks.Modules(size, [0])), [1]),
        new("inverse autoregressive, a masked network of the user's, context", () => new InvertedLayer(new AutoregressiveLayer([4],
            new AffineTransformer([1]), size => new MaskedConditioner(size, [3, 1, 0, 2]), [3, 1, 0, 2], contextSize: 1)), [4]),
        new("inverse autoregressive",
            () => new InvertedLayer(Autoregressive(4, new AffineTransformer([1]), new() { Hidden = 12, Blocks = 1, ContextSize = 2 })),
                [4]),
        new("diagonal scaling", () => new DiagonalScaling([2, 3]), [2, 3]),
        new("permutation, vector", () => new Permutation([4], [2, 0, 3, 1]), [4]),
        new("permutation, image", () => Permutation.Random([5, 2, 3], 3), [5, 2, 3]),
        .. Enum.GetValues<LinearForm>().Select(f => new LayerCase($"linear, {f}, vector", () => new InvertibleLinearLayer([4], f), [4])),
        .. Enum.GetValues<LinearForm>().Select(f => new LayerCase($"linear, {f}, image", () => new InvertibleLinearLayer([3, 2, 3], f),
            [3, 2, 3])),
        new("linear, from a permutation", () => InvertibleLinearLayer.StartingAsPermutation([5]), [5]),
        new("linear, two reflections", () => new InvertibleLinearLayer([5], LinearForm.Orthogonal, 2), [5]),
        new("periodic convolution", () => new PeriodicConv2d([2, 3, 4]), [2, 3, 4]),
        new("periodic convolution, even kernel, odd width", () => new PeriodicConv2d([2, 4, 3], 2), [2, 4, 3]),
        new("act norm, vector", () => new ActNorm([4]), [4]),
        new("act norm, image", () => new ActNorm([2, 3, 3]), [2, 3, 3]),
        new("flow batch norm, vector", () => new FlowBatchNorm([4]), [4]),
        new("glow coupling, context", () => new CouplingLayer([4, 3, 3], Mask.ChannelWise(4), new SigmoidAffineTransformer(),
            new GlowConvNet(2, 4, 5, 2)), [4, 3, 3]),
        new("glow coupling, dense mask", () => new CouplingLayer([1, 3, 4], Mask.Checkerboard(3, 4), new SigmoidAffineTransformer(),
            new GlowConvNet(1, 2, 5)), [1, 3, 4]) { FarSpread = 0.5 },
        new("learned prior of a half", () => new CouplingLayer([4, 3, 3], Mask.ChannelWise(4), new StandardizingTransformer(),
            size => new ZeroConv2d(size.Inputs, size.Outputs)), [4, 3, 3]) { FarSpread = 0.5 },
        new("learned prior", () => new LearnedPrior([2, 3, 3]), [2, 3, 3]) { FarSpread = 0.5 },
        new("coupling with a plain network", () => new AdditiveCouplingLayer([5], Mask.Alternating(5), new Mlp(2, 3, 8, 3, 2)), [5]),
        new("coupling with a plain network, input limit", () => new AdditiveCouplingLayer([4], Mask.FirstHalf(4),
            new Mlp(2, 2, 8, 2, inputLimit: 0.5)), [4]),
        new("flow batch norm, image", () => new FlowBatchNorm([2, 3, 3]), [2, 3, 3]),
        new("flow batch norm, after a checkerboard", () => new FlowBatchNorm([2, 3, 3], Mask.Checkerboard(3, 3)), [2, 3, 3]),
        new("flow batch norm, after a channel mask", () => new FlowBatchNorm([4, 2, 2], Mask.ChannelWise(4)), [4, 2, 2]),
        new("flow batch norm, after a vector mask", () => new FlowBatchNorm([5], Mask.Alternating(5), momentum: 0), [5]),
        new("planar, tanh", () => new PlanarLayer([4]), [4]),
        new("planar, tanh, one feature", () => new PlanarLayer([1]), [1]),
        new("planar, leaky ReLU", () => new PlanarLayer([3], PlanarActivation.LeakyRelu), [3]),
        new("inverse planar", () => new InvertedLayer(new PlanarLayer([3])), [3]),
        new("radial", () => new RadialLayer([4]), [4]),
        new("radial, one feature", () => new RadialLayer([1]), [1]),
        new("Sylvester", () => new SylvesterLayer([4]), [4]),
        new("Sylvester, two directions", () => new SylvesterLayer([5], 2), [5]),
        new("Sylvester, one feature", () => new SylvesterLayer([1]), [1]),
        new("continuous, context", () => new ContinuousLayer(new ConcatSquashMlp(2, 2, 1, contextSize: 1), [2],
            new() { Tolerance = 1e-10 }), [2]) { FarSpread = 0.3, IsSlow = true },
        new("continuous, on spheres, context", () => new ContinuousLayer(new SphericalDynamics(new TimeMlp([3], 3, 1, contextSize: 1)), [3],
            new() { Tolerance = 1e-10 }), [3]) { FarSpread = 0.3, IsSlow = true, IsVerySlow = true, Options = new() { Extreme = 5 } },
        new("continuous, on spheres, any module", () => new ContinuousLayer(new SphericalDynamics(Dynamics.From(new Turning())), [2],
            new() { Tolerance = 1e-10 }), [2]) { FarSpread = 0.3, IsSlow = true, IsVerySlow = true, Options = new() { Extreme = 5 } },
        new("residual, two features, context", () => new ResidualLayer([2], new LipschitzMlp(2, 2, 4, 1, contextSize: 2)), [2]),
        new("residual, CLipSwish", () => new ResidualLayer([3], new LipschitzMlp(3, 3, 3, 1, ActivationKind.CLipSwish, 0.95)), [3]),
        new("residual, ELU, norm infinity", () => new ResidualLayer([1],
            new LipschitzMlp(1, 1, 4, 1, ActivationKind.Elu, activatesInput: false, norm: double.PositiveInfinity)), [1]),
        new("residual, image, context",
            () => new ResidualLayer([1, 2, 3], new LipschitzConvNet([1, 2, 3], 1, 2, [3, 1], contextSize: 1)), [1, 2, 3]),
        new("residual, any module with a bound", () => new ResidualLayer([3], new Contraction(3), lipschitz: 0.6), [3]),
        new("squeeze, plain", () => new Squeeze([2, 4, 6]), [2, 4, 6]),
        new("squeeze, checkerboard order", () => new Squeeze([3, 4, 2], SqueezeOrder.Checkerboard), [3, 4, 2]),
        new("unsqueeze", () => new InvertedLayer(new Squeeze([2, 4, 4], SqueezeOrder.Checkerboard)), [8, 2, 2]),
        new("Haar squeeze", () => new HaarSqueeze([2, 4, 6]), [2, 4, 6]),
        new("Haar unsqueeze", () => new InvertedLayer(new HaarSqueeze([1, 4, 2])), [4, 2, 1]),
        new("inverted coupling", () => new InvertedLayer(Affine([4], Mask.Alternating(4), context: 2)), [4]),
        new("chain", () => new Chain(Affine([4], Mask.Alternating(4)), new FlowBatchNorm([4]),
            Affine([4], !Mask.Alternating(4), context: 2), new DiagonalScaling([4])), [4]),
        new("multi-scale", MultiScaleLayer, [1, 4, 4]),
        new("multi-scale behind a layer for any size", () => new Chain(new RandomHorizontalFlip(), MultiScaleLayer()), [1, 4, 4]),
        new("logit", () => new LogitTransform(0.05), [2, 3, 3]) { Options = new() { Minimum = 0, Maximum = 1, DrawLatents = false,
            Float64Tolerance = 1e-9 } },
        new("dequantization", () => new UniformDequantization(8), [1, 3, 3]) { Options = new() { Minimum = 0, Maximum = 7,
            Float64Tolerance = 1e-9 }, Sample = () => Integers(8, [4, 1, 3, 3]) },
        new("horizontal flip", () => new RandomHorizontalFlip(), [2, 3, 4]),
        new("standardization", Standardized, [5]),
        new("standardization by quantiles, image", () => Fitted(new Standardization([2, 3, 2], FeatureScaling.Quantiles)), [2, 3, 2]),
        // beyond 88 thresholds float32 has no number for x
        new("asinh", () => new AsinhTransform(0.7), [2, 3]) { Options = new() { Points = [-0.7, 0.7, 0, 5], Extreme = 20 } },
    ];

    public static TheoryData<string> Names => [.. All.Select(c => c.Name)];

    public static LayerCase Find(string name) => All.Single(c => c.Name == name);

    private static Tensor Integers(int levels, long[] size)
    {
        using var generator = new Generator(7);
        return randint(levels, size, dtype: float64, generator: generator);
    }

    private static AffineCouplingLayer Affine(EventShape shape, Mask mask, long context = 0,
        AffineOrder order = AffineOrder.ScaleThenShift) =>
        new(shape, mask, size => new ResidualMlp(size.Inputs, size.Outputs, 8, 1, size.ContextSize), order, contextSize: context);

    private static CouplingLayer Spline(EventShape shape, Mask mask, SplineTransformer transformer, long context = 0) =>
        new(shape, mask, transformer, size => new ResidualMlp(size.Inputs, size.Outputs, 8, 1, size.ContextSize), contextSize: context);

    private static AutoregressiveLayer Autoregressive(long features, ScalarTransformer transformer, MadeOptions options) =>
        new([features], transformer, size => new Made(size.Inputs, size.ParametersPerElement, options));

    private static AffineCouplingLayer AffineImage(EventShape shape, Mask mask, long context = 0, bool maskAsInput = false,
        AffineOrder order = AffineOrder.ScaleThenShift) =>
        new(shape, mask, size => Net(size.Inputs, size.Outputs, size.ContextSize), order, maskAsInput, context);

    private static ResidualConvNet Net(long inputs, long outputs, long context = 0) =>
        new(inputs, outputs, new() { HiddenChannels = 4, Blocks = 1, ContextSize = context, ConcatenatedRelu = context > 0,
            DoubleInput = context > 0 });

    private static CouplingLayer Torus(EventShape shape, Mask mask, ScalarTransformer transformer, FeatureSet circles) =>
        new(shape, mask, transformer, size => new CircularInput(size, circles, inner => new ResidualMlp(inner.Inputs, inner.Outputs, 8,
            1)));

    private static ScalarTransformer CirclesAt(FeatureSet circles, Mask mask)
    {
        var (circle, line) = (new SplineTransformer(3, Math.PI, SplineTails.Circular), new SplineTransformer(3));
        return MixedTransformer.Of(mask, f => circles.Contains(f) ? circle : line);
    }

    private static CouplingLayer Mixed()
    {
        var (circle, near, far) = (new SplineTransformer(3, -3, 4, SplineTails.Circular), new SplineTransformer(4, 2),
            new AffineTransformer([1]));
        ScalarTransformer[] maps = [circle, circle, near, far, far];
        return new([5], new Mask([5], [true, false, false, false, true]),
            MixedTransformer.Of(new Mask([5], [true, false, false, false, true]), f => maps[f]),
            size => new CircularInput(size, [0, 1], inner => new ResidualMlp(inner.Inputs, inner.Outputs, 8, 1, inner.ContextSize), -3, 4),
                contextSize: 2);
    }

    private static Mask RandomMask(EventShape shape)
    {
        var random = new Random(5);
        return new Mask(shape, [.. Enumerable.Range(0, (int)shape.NumElements).Select(_ => random.Next(2) == 0)]);
    }

    private static MultiScaleLayer MultiScaleLayer() => new([1, 4, 4],
        new Chain(AffineImage([1, 4, 4], Mask.Checkerboard(4, 4)), new Squeeze([1, 4, 4], SqueezeOrder.Checkerboard),
            AffineImage([4, 2, 2], Mask.ChannelWise(4))),
        AffineImage([2, 2, 2], Mask.Checkerboard(2, 2)));

    private static Standardization Fitted(Standardization layer)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(4);
        layer.Fit(randn(layer.InputShape!.Value.WithBatch(50), dtype: float64, generator: generator).mul(3).add(2));
        return layer;
    }

    private static Standardization Standardized()
    {
        var layer = new Standardization([5]);
        using var scope = NewDisposeScope();
        using var generator = new Generator(4);
        layer.Fit(randn([50, 5], dtype: float64, generator: generator).mul(tensor([1.0, 10, 0.1, 1e3, 1e-3])));
        return layer;
    }

    /// <summary>A velocity of a user's.</summary>
    private sealed class Turning : nn.Module<Tensor, Tensor, Tensor>
    {
        private readonly TorchSharp.Modules.Parameter shift;

        public Turning() : base(nameof(Turning))
        {
            shift = nn.Parameter(linspace(0.4, -0.8, 2));
            RegisterComponents();
        }

        public override Tensor forward(Tensor t, Tensor x)
        {
            using var scope = NewDisposeScope();
            return scope.MoveToOuter(x.add(shift, Internal.Scalars.One).sin().mul(t.unsqueeze(1).cos()));
        }
    }

    /// <summary>A network of a user's: 0.6·sin(x + b), one number after the other turned on to the next.</summary>
    private sealed class Contraction : nn.Module<Tensor, Tensor>
    {
        private readonly TorchSharp.Modules.Parameter shift;

        public Contraction(long features) : base(nameof(Contraction))
        {
            shift = nn.Parameter(zeros(features));
            RegisterComponents();
        }

        public override Tensor forward(Tensor input)
        {
            using var scope = NewDisposeScope();
            return scope.MoveToOuter(input.add(shift, Internal.Scalars.One).sin().roll([1L], [1L]).mul(Internal.Scalars.Of(0.6)));
        }
    }
}
