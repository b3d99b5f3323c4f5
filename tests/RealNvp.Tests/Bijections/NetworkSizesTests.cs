using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections;

/// <summary>A layer makes its network from sizes that it knows, and refuses a network of another size when it is built.</summary>
public class NetworkSizesTests
{
    private static readonly Dictionary<string, (EventShape Shape, Func<Mask> Mask, bool MaskAsInput, long[] Inputs, long Changed)> parts =
        new()
    {
        ["vector"] = ([5], () => Mask.Alternating(5), false, [2], 3),
        ["channels"] = ([4, 3, 2], () => Mask.ChannelWise(4), false, [2, 3, 2], 2),
        ["channels of images of any size"] = ([4, -1, -1], () => Mask.ChannelWise(4), false, [2, -1, -1], 2),
        ["checkerboard"] = ([2, 4, 4], () => Mask.Checkerboard(4, 4), false, [2, 4, 4], 2),
        ["checkerboard and its mask"] = ([2, 4, 4], () => Mask.Checkerboard(4, 4), true, [3, 4, 4], 2),
    };

    private static readonly Dictionary<string, Func<EventShape, Mask, Func<ConditionerSizes, Conditioner>, bool, long,
        CouplingLayer>> couplings = new()
    {
        [nameof(AffineCouplingLayer)] = (s, m, n, i, c) => new AffineCouplingLayer(s, m, n, maskAsInput: i, contextSize: c),
        [nameof(AdditiveCouplingLayer)] = (s, m, n, i, c) => new AdditiveCouplingLayer(s, m, n, i, c),
        [nameof(CouplingLayer)] = (s, m, n, i, c) => new CouplingLayer(s, m, new SplineTransformer(3), n, i, c),
    };

    public static MatrixTheoryData<string, string, long> Cases => new(parts.Keys, couplings.Keys, [0L, 3L]);

    [Theory, MemberData(nameof(Cases))]
    public void A_coupling_tells_the_function_that_makes_its_network_all_sizes(string part, string kind, long context)
    {
        using var scope = NewDisposeScope();
        var (shape, mask, asInput, inputs, changed) = parts[part];
        ConditionerSizes? told = null;
        using var layer = couplings[kind](shape, mask(), size => Net(told = size), asInput, context);
        var parameters = layer.Transformer.ParametersPerElement;
        told!.InputShape.Should().Equal(inputs);
        told.OutputShape.Should().Equal([changed * parameters, .. inputs[1..]]);
        (told.Inputs, told.Outputs, told.ParametersPerElement, told.ContextSize, told.MaskIsInput).Should()
            .Be((inputs[0], changed * parameters, parameters, context, asInput));
        layer.Sizes.Should().BeSameAs(told);
        layer.ContextSize.Should().Be(context);
        layer.Conditioner.Should().BeAssignableTo<Conditioner>();
        CouplingLayer.SizesFor(shape, mask(), layer.Transformer, asInput, context).Should().BeEquivalentTo(told);
        var fixedShape = shape.Select(size => size == -1 ? 4 : size).ToArray();
        layer.Forward(randn([2, .. fixedShape]), context == 0 ? null : randn(2, context)).Value.shape.Should().Equal([2, .. fixedShape]);
    }

    [Theory, MemberData(nameof(Cases))]
    public void A_network_of_the_wrong_size_is_refused_when_the_coupling_is_built(string part, string kind, long context)
    {
        var (shape, mask, asInput, _, _) = parts[part];
        foreach (var (more, given) in new[] { (1L, 0L), (0, 1), (0, -1) })
        {
            Conditioner? made = null;
            var build = () => couplings[kind](shape, mask(), size => made = Net(size, more, given), asInput, context);
            build.Should().Throw<ArgumentException>()
                .WithMessage($"The network of {kind} (*) maps (N, * to (N, *; it must map (N, * to (N, *parameter(s)*size => new*");
            FluentActions.Invoking(() => made!.call(zeros(1), null)).Should()
                .Throw<Exception>("the refused network is disposed, as nobody else has it");
        }
        if (context == 0) return;
        FluentActions.Invoking(() => couplings[kind](shape, mask(), size => Net(size, context: 0), asInput, context)).Should()
            .Throw<ArgumentException>().WithMessage("*takes no context; the layer was asked for 3*");
        FluentActions.Invoking(() => couplings[kind](shape, mask(), size => Net(size, context: 2), asInput, context)).Should()
            .Throw<ArgumentException>().WithMessage("*takes 2 context features; the layer was asked for 3*");
    }

    [Fact]
    public void A_network_for_vectors_is_refused_for_images_and_the_other_way_round()
    {
        Refused(() => new AffineCouplingLayer([4, 2, 2], Mask.ChannelWise(4), size => new Mlp(size.Inputs, size.Outputs)),
            "*(Mlp) maps (N, 2) to (N, 4); it must map (N, 2, 2, 2) to (N, 4, 2, 2)*");
        Refused(() => new AffineCouplingLayer([4], Mask.FirstHalf(4), size => new GlowConvNet(size.Inputs, size.Outputs, 4)),
            "*(GlowConvNet) maps (N, 2, *, *) to (N, 4, *, *); it must map (N, 2) to (N, 4)*");
    }

    [Fact]
    public void Any_module_of_the_users_is_tried_when_the_coupling_is_built()
    {
        using var scope = NewDisposeScope();
        using var layer = new AffineCouplingLayer([4], Mask.FirstHalf(4), size => nn.Sequential(nn.Linear(size.Inputs, 8), nn.Tanh(),
            nn.Linear(8, size.Outputs)));
        layer.Forward(randn(3, 4)).Value.shape.Should().Equal(3, 4);
        Refused(() => new AffineCouplingLayer([4], Mask.FirstHalf(4), size => nn.Sequential(nn.Linear(size.Inputs + 1, 8),
            nn.Linear(8, size.Outputs))),
            "The network of AffineCouplingLayer (Sequential) fails on (2, 2): *mat1 and mat2*It must map (N, 2) to (N, 4)*size => new*");
        Refused(() => new AdditiveCouplingLayer([2, 4, 4], Mask.Checkerboard(4, 4), size => nn.Conv2d(size.Inputs, size.Outputs, 3),
            maskAsInput: true), "*(Conv2d) maps (2, 3, 4, 4) to (2, 2, 2, 2); it must map (N, 3, 4, 4) to (N, 2, 4, 4)*");
        using var own = new Own(5);
        Refused(() => new CouplingLayer([4], Mask.FirstHalf(4), new AdditiveTransformer(), own),
            "*(Own) maps (2, 2) to (2, 5); it must map (N, 2) to (N, 2)*");
        own.call(zeros(2, 2), zeros(2, 3)).shape.Should().Equal([2L, 5], "a network that the caller made stays the caller's");
    }

    [Fact]
    public void The_trial_leaves_mode_statistics_and_random_numbers_as_they_were()
    {
        using var scope = NewDisposeScope();
        var net = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 4));
        net.children().Skip(1).First().eval();
        var statistics = net.state_dict().ToDictionary(e => e.Key, e => e.Value.clone());
        using var drawing = new Drawing();
        manual_seed(5);
        var before = random.get_rng_state();
        using var layer = new AffineCouplingLayer([4], Mask.FirstHalf(4), net);
        using var second = new AffineCouplingLayer([4], Mask.FirstHalf(4), drawing);
        random.get_rng_state().bytes.ToArray().Should().Equal(before.bytes.ToArray());
        net.children().Select(m => m.training).Should().Equal(true, false, true, true);
        net.training.Should().BeTrue();
        foreach (var (key, value) in net.state_dict()) value.bytes.ToArray().Should().Equal(statistics[key].bytes.ToArray(), key);
    }

    [Fact]
    public void A_network_for_images_of_any_size_fails_at_the_first_call_with_the_sizes_and_not_with_native_text_alone()
    {
        using var scope = NewDisposeScope();
        using var layer = new AdditiveCouplingLayer([4, -1, -1], Mask.ChannelWise(4), size => nn.Conv2d(size.Inputs + 1, size.Outputs, 3,
            padding: 1));
        FluentActions.Invoking(() => layer.Forward(randn(2, 4, 3, 5))).Should().Throw<InvalidOperationException>()
            .WithMessage("The network of AdditiveCouplingLayer (Conv2d) fails on (2, 2, 3, 5): *It must map (N, 2, *, *) to (N, 2, *, *)*");
    }

    [Fact]
    public void A_transformer_with_weights_for_other_features_is_refused_when_the_coupling_is_built()
    {
        Refused(() => new CouplingLayer([5], Mask.Alternating(5), new AffineTransformer([2]), size => new Mlp(size.Inputs, size.Outputs)),
            "AffineTransformer has a scale of shape (2,), but transforms (3,)*Use [1]*");
        Refused(() => new CouplingLayer([4, 2, 2], Mask.ChannelWise(4), new AffineTransformer([3, 1, 1]),
            size => new GlowConvNet(size.Inputs, size.Outputs, 4)), "*scale of shape (3, 1, 1), but transforms (2, 2, 2)*");
    }

    [Fact]
    public void An_autoregressive_layer_makes_its_network_too()
    {
        using var scope = NewDisposeScope();
        using var layer = new AutoregressiveLayer([5], new SplineTransformer(4), size => new Made(size.Inputs, size.ParametersPerElement,
            new() { Hidden = 16, ContextSize = size.ContextSize }), contextSize: 2);
        layer.Forward(randn(3, 5), randn(3, 2)).Value.shape.Should().Equal(3, 5);
        layer.Conditioner.Should().BeOfType<Made>().Which.Features.Should().Be(5);
        AutoregressiveLayer.SizesFor([5], layer.Transformer).Outputs.Should().Be(5 * 11);
        Refused(() => new AutoregressiveLayer([5], new AffineTransformer([1]),
            size => new Made(size.Inputs + 1, size.ParametersPerElement)),
            "The network of AutoregressiveLayer (Made) maps (N, 6) to (N, 12); it must map (N, 5) to (N, 10)*");
        Refused(() => new AutoregressiveLayer([5], new AffineTransformer([1]), size => new Made(size.Inputs, size.ParametersPerElement),
            contextSize: 1), "*takes no context; the layer was asked for 1*");
        Refused(() => new AutoregressiveLayer([5, 2], new AffineTransformer([1]), size => new Made(5, 2)), "*needs a vector*");
    }

    [Fact]
    public void Functions_that_are_null_or_return_null_are_named()
    {
        Refused(() => new CouplingLayer([4], Mask.FirstHalf(4), new AdditiveTransformer(), (Func<ConditionerSizes, Conditioner>)null!),
            "*network*");
        Refused(() => new CouplingLayer([4], Mask.FirstHalf(4), new AdditiveTransformer(), Conditioner (_) => null!),
            "*returned null; it must return a network that maps (N, 2) to (N, 2)*");
        Refused(() => new AutoregressiveLayer([4], new AdditiveTransformer(), Made (_) => null!), "*returned null*");
    }

    private static void Refused(Func<object> build, string message) =>
        FluentActions.Invoking(build).Should().Throw<ArgumentException>().WithMessage(message);

    private static Conditioner Net(ConditionerSizes size, long moreInputs = 0, long moreOutputs = 0, long? context = null) =>
        size.InputShape.Count == 1
        ? new ResidualMlp(size.Inputs + moreInputs, size.Outputs + moreOutputs, 4, 1, context ?? size.ContextSize)
        : new GlowConvNet(size.Inputs + moreInputs, size.Outputs + moreOutputs, 4, context ?? size.ContextSize);

    private sealed class Own(long outputs) : Conditioner(nameof(Own), 3)
    {
        public override Tensor forward(Tensor input, Tensor? context) =>
            zeros(input.shape[0], outputs).add(context!.sum([1L], keepdim: true));
    }

    private sealed class Drawing() : nn.Module<Tensor, Tensor>(nameof(Drawing))
    {
        public override Tensor forward(Tensor input) => randn(input.shape[0], 4);
    }
}
