using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections;

/// <summary>Mistakes of a caller: each message says what came, what was expected, and what to do.</summary>
public class CouplingErrorsTests
{
    [Fact]
    public void A_wrong_shape_is_named_with_the_expected_one()
    {
        using var scope = NewDisposeScope();
        using var layer = Coupling();
        Refused<ArgumentException>(() => layer.Forward(zeros(4)),
            "AffineCouplingLayer.Forward expects x of shape (N, 4); got (4,). Add the batch dimension: x.unsqueeze(0).*");
        Refused<ArgumentException>(() => layer.Inverse(zeros(4)),
            "AffineCouplingLayer.Inverse expects z of shape (N, 4); got (4,). Add the batch dimension: z.unsqueeze(0).*");
        Refused<ArgumentException>(() => layer.Forward(zeros(2, 5)), "*expects x of shape (N, 4); got (2, 5).*").Which.Message.Should()
            .NotContain("unsqueeze", "a batch dimension is not what lacks");
        Refused<ArgumentException>(() => layer.Forward(zeros(2, 4, 1)), "*expects x of shape (N, 4); got (2, 4, 1).*");
        Refused<ArgumentException>(() => layer.Forward(tensor(1f)), "*expects x of shape (N, 4); got ().*");
        Refused<ArgumentNullException>(() => layer.Forward(null!), "*x*");
        using var anything = new LogitTransform();
        Refused<ArgumentException>(() => anything.Forward(tensor(0.5f)),
            "*batch dimension in front, (N, ...); got a tensor without dimensions*");
        using var gone = zeros(2, 4);
        gone.Dispose();
        Refused<ObjectDisposedException>(() => layer.Forward(gone), "*'x' has been disposed. Keep it alive*");
    }

    [Fact]
    public void A_wrong_dtype_is_named_with_that_of_the_weights()
    {
        using var scope = NewDisposeScope();
        using var layer = Coupling();
        Refused<ArgumentException>(() => layer.Forward(zeros(2, 4, float64)),
            "AffineCouplingLayer.Forward has weights of dtype Float32, but x has Float64. Convert one of them: x.to(torch.float32) or " +
            "module.to(torch.float64).*");
        Refused<ArgumentException>(() => layer.Forward(zeros(2, 4, int64)),
            "*expects x with a floating-point dtype; got Int64. Convert it: x.to(torch.float32).*");
        using var conditional = Coupling(context: 3);
        Refused<ArgumentException>(() => conditional.Forward(zeros(2, 4), zeros(2, 3, float64)),
            "*has weights of dtype Float32, but context has Float64*");
        using var model = new RealNvpModel(RealNvpOptions.Toy2D, seed: 0);
        Refused<ArgumentException>(() => model.LogProb(zeros(3, 2, int32)), "*floating-point dtype; got Int32*");
    }

    [Fact]
    public void A_wrong_device_is_named_with_that_of_the_weights()
    {
        using var scope = NewDisposeScope();
        using var layer = Coupling(context: 3);
        var elsewhere = new Device(DeviceType.META);
        Refused<ArgumentException>(() => layer.Forward(zeros(2, 4, device: elsewhere), zeros(2, 3)),
            "AffineCouplingLayer.Forward has weights on cpu, but x is on meta*Move one of them: x.to(\"cpu\") or module.to(\"meta*");
        Refused<ArgumentException>(() => layer.Forward(zeros(2, 4), zeros(2, 3, device: elsewhere)),
            "*has weights on cpu, but context is on meta*");
    }

    [Fact]
    public void A_context_that_lacks_or_does_not_fit_is_named()
    {
        using var scope = NewDisposeScope();
        using var layer = Coupling(context: 3);
        using var plain = Coupling();
        Refused<ArgumentNullException>(() => layer.Forward(zeros(2, 4)),
            "AffineCouplingLayer.Forward is conditional: it needs a context of shape (2, 3).*");
        Refused<ArgumentException>(() => plain.Forward(zeros(2, 4), zeros(2, 3)),
            "*takes no context, but one of shape (2, 3) was given. Build it with a context size*");
        foreach (var (context, text) in new[] { (zeros(2, 4), "(2, 4)"), (zeros(1, 3), "(1, 3)"), (zeros(3), "(3,)"),
            (zeros(2, 3, 1), "(2, 3, 1)") })
            Refused<ArgumentException>(() => layer.Inverse(zeros(2, 4), context),
                $"AffineCouplingLayer.Inverse expects a context of shape (2, 3), one row an example; got {text}.*");

        using var model = new RealNvpModel(RealNvpOptions.Toy2D with { ContextSize = 3 }, seed: 0);
        Refused<ArgumentNullException>(() => model.LogProb(zeros(2, 2)), "*is conditional: it needs a context of shape (2, 3).*");
        Refused<ArgumentException>(() => model.Sample(5, zeros(3)), "RealNvpModel.Sample expects a context of shape (M, 3); got (3,).*");
        Refused<ArgumentNullException>(() => model.Sample(5), "*is conditional*");
        Refused<ArgumentException>(() => model.LogProb(zeros(2, 2), full([2, 3], float.NaN)),
            "*context holds 6 value(s) that are NaN or infinite, the first at index (0, 0)*");
    }

    [Fact]
    public void A_conditioner_of_the_wrong_width_is_named_with_the_shape_that_it_must_return()
    {
        using var scope = NewDisposeScope();
        // one whose output depends on what it gets shows it at a call only
        using var layer = new AffineCouplingLayer([4], Mask.FirstHalf(4), new Narrowing());
        layer.ConditionerInputShape.Should().Equal(2);
        layer.ConditionerOutputShape.Should().Equal(4);
        Refused<InvalidOperationException>(() => layer.Forward(ones(5, 4)),
            "The conditioner of AffineCouplingLayer returned (5, 3); it must return (N, ...) with N = 5 and ... = (4,): 2 parameter(s) " +
            "for each transformed channel or feature.");
    }

    [Fact]
    public void A_mask_that_parts_nothing_or_does_not_fit_is_refused()
    {
        using var scope = NewDisposeScope();
        using var net = nn.Linear(2, 4);
        Refused<ArgumentException>(() => _ = new AffineCouplingLayer([4], new Mask([4], [true, true, true, true]), net),
            "*keeps some variables and transforms others; this one keeps all 4.*");
        Refused<ArgumentException>(() => _ = new AdditiveCouplingLayer([4], new Mask([4], new bool[4]), net),
            "*this one transforms all 4.*");
        Refused<ArgumentException>(() => _ = new AffineCouplingLayer([3, 4, 4], Mask.Checkerboard(4, 5), net),
            "*mask of shape (4, 5) does not fit examples of shape (3, 4, 4): sizes, aligned at the right, must be equal or 1.*");
        Refused<ArgumentException>(() => _ = new AdditiveCouplingLayer([4], Mask.FirstHalf(4), net, maskAsInput: true),
            "*only for a mask (H, W) of an image (C, H, W); got a mask of shape (4,) for (4,).*");
        Refused<ArgumentNullException>(() => _ = new AffineCouplingLayer([4], null!, net), "*mask*");
    }

    [Fact]
    public void Values_that_are_not_finite_are_named_by_number_and_index()
    {
        using var scope = NewDisposeScope();
        using var model = new RealNvpModel(RealNvpOptions.Toy2D, seed: 0);
        var x = zeros(5, 2);
        x[3, 1] = float.NaN;
        x[4, 0] = float.PositiveInfinity;
        Refused<ArgumentException>(() => model.LogProb(x),
            "RealNvpModel.LogProb expects finite values; x holds 2 value(s) that are NaN or infinite, the first at index (3, 1). Remove " +
            "or replace them.*");
        Refused<ArgumentException>(() => model.Encode(x), "RealNvpModel.Encode expects finite values*index (3, 1)*");
        Refused<ArgumentException>(() => model.Decode(x), "RealNvpModel.Decode expects finite values; z holds 2*index (3, 1)*");
        Refused<ArgumentException>(() => model.BitsPerDim(x), "*index (3, 1)*");
        Refused<ArgumentException>(() => model.Evaluate(x, batchSize: 2), "*NaN*");
    }

    [Fact]
    public void A_chain_whose_layers_do_not_fit_names_the_layers()
    {
        using var scope = NewDisposeScope();
        using var two = new DiagonalScaling([2]);
        using var three = new DiagonalScaling([3]);
        using var squeeze = new Squeeze([1, 4, 4]);
        using var image = new DiagonalScaling([1, 4, 4]);
        using var free = new LogitTransform();
        Refused<ArgumentException>(() => _ = new Chain(two, three),
            "Layer 1 (DiagonalScaling) takes examples of shape (3,), but layer 0 (DiagonalScaling) gives (2,).*");
        Refused<ArgumentException>(() => _ = new Chain(two, free, three),
            "Layer 2 (DiagonalScaling) takes examples of shape (3,), but layer 1 (LogitTransform) gives (2,).*");
        Refused<ArgumentException>(() => _ = new Chain(squeeze, image),
            "*takes examples of shape (1, 4, 4), but layer 0 (Squeeze) gives (4, 2, 2).*");
        Refused<ArgumentException>(() => _ = new Chain(two, free, two),
            "*holds each layer once; the same object came twice. Make a second layer instead.*");
        Refused<ArgumentException>(() => _ = new Chain(), "*at least one layer; got none.*");
        using var first = Coupling(context: 3);
        using var second = Coupling(context: 2);
        Refused<ArgumentException>(() => _ = new Chain(first, second), "*take the same context; got context sizes 3 and 2.*");
    }

    [Fact]
    public void Scales_and_squeezes_that_do_not_divide_are_refused()
    {
        using var scope = NewDisposeScope();
        using var odd = new DiagonalScaling([3, 4, 4]);
        using var next = new DiagonalScaling([1, 4, 4]);
        using var even = new DiagonalScaling([4, 2, 2]);
        Refused<ArgumentException>(() => _ = new MultiScaleLayer([3, 4, 4], odd, next),
            "Scale 0 gives (3, 4, 4); half of its channels cannot leave, because their number is odd.*");
        Refused<ArgumentException>(() => _ = new MultiScaleLayer([4, 2, 2], even, next),
            "Scale 1 (DiagonalScaling) takes (1, 4, 4), but gets (2, 2, 2).*");
        Refused<ArgumentException>(() => _ = new MultiScaleLayer([4, 2, 2]), "*at least one scale; got none.*");
        Refused<ArgumentException>(() => _ = new MultiScaleLayer([4, -1, -1], even), "*needs all sizes; got (4, *, *).*");
        Refused<ArgumentException>(() => _ = new Squeeze([1, 3, 4]),
            "A squeeze needs an even height and width; got 3×4. Crop the images to 2×4, or pad them to 4×4, or use fewer scales.*");
        Refused<ArgumentException>(() => _ = new Squeeze([4]), "A squeeze takes images of shape (C, H, W); got (4,).*");
        using var any = new Squeeze([-1, -1, -1]);
        Refused<ArgumentException>(() => any.Forward(zeros(1, 1, 4, 5)),
            "*even height and width; got an image of 4×5. Crop the images to 4×4, or pad them to 4×6.*");
        Refused<ArgumentException>(() => any.InputShapeOf([6, -1, -1]),
            "The output of a squeeze has shape (4*C, H/2, W/2); got (6, *, *).*");
        Refused<ArgumentException>(() => any.InputShapeOf([6, 2, 2]), "*got (6, 2, 2).*");
        any.InputShapeOf([-1, 2, 3]).Should().Equal([-1L, 4, 6]);
        any.Forward(zeros(1, 1, 4, 6)).Value.shape.Should().Equal(1, 4, 2, 3);
    }

    [Fact]
    public void A_flow_whose_parts_do_not_fit_is_refused()
    {
        using var scope = NewDisposeScope();
        using var three = new DiagonalScaling([3]);
        using var logit = new LogitTransform();
        using var wrong = new StandardLogistic([2]);
        Refused<ArgumentException>(() => _ = new Flow([2], three), "The bijection takes examples of shape (3,); the flow has (2,).*");
        Refused<ArgumentException>(() => _ = new Flow([3], three, wrong),
            "The base density has shape (2,); the bijection gives latents of shape (3,).*");
        Refused<ArgumentException>(() => _ = new Flow([-1], logit), "A flow needs a shape with all sizes known; got (*,).*");
    }

    [Fact]
    public void Arguments_of_sampling_evaluation_and_interpolation_are_checked()
    {
        using var scope = NewDisposeScope();
        using var model = new RealNvpModel(RealNvpOptions.Toy2D, seed: 0);
        Refused<ArgumentOutOfRangeException>(() => model.Sample(-1), "*count*-1*");
        foreach (var temperature in new[] { -0.1, double.NaN, double.PositiveInfinity })
            Refused<ArgumentOutOfRangeException>(() => model.Sample(1, temperature: temperature),
                "*temperature must be finite and not negative*");
        Refused<ArgumentException>(() => model.Evaluate(zeros(0, 2)), "*needs at least one example; got an empty batch*");
        Refused<ArgumentOutOfRangeException>(() => model.Evaluate(zeros(1, 2), batchSize: 0), "*batchSize*");
        Refused<ArgumentException>(() => model.NegativeLogLikelihood(zeros(0, 2)), "*needs at least one example; got an empty batch*");
        Refused<ArgumentException>(() => model.Interpolate(zeros(3, 2)), "Interpolate takes 4 examples; got 3.*");
        Refused<ArgumentOutOfRangeException>(() => model.Interpolate(zeros(4, 2), steps: 1), "*steps*");
        Refused<ArgumentException>(() => model.SplitLatent(zeros(4, 3)), "*SplitLatent expects z of shape (N, 2); got (4, 3)*");
        Refused<ArgumentException>(() => model.JoinLatent(zeros(4, 2), zeros(4, 2)), "*has 1 part; got 2*");
    }

    private sealed class Narrowing() : nn.Module<Tensor, Tensor>(nameof(Narrowing))
    {
        public override Tensor forward(Tensor input) => zeros(input.shape[0], input.count_nonzero().item<long>() > 0 ? 3 : 4);
    }

    private static AffineCouplingLayer Coupling(long context = 0) => new([4], Mask.FirstHalf(4), new ResidualMlp(2, 4, 8, 0, context));

    private static FluentAssertions.Specialized.ExceptionAssertions<T> Refused<T>(Action action, string message) where T : Exception =>
        action.Should().Throw<T>().WithMessage(message);
}
