using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Transformers;

[LeavesNoTensors]
public class MixtureCdfTransformerTests
{
    [Theory, InlineData(1), InlineData(4), InlineData(64)]
    public void Parameters_of_zero_are_the_identity(int components)
    {
        using var scope = NewDisposeScope();
        using var mixture = new MixtureCdfTransformer(components);
        var x = linspace(-50, 50, 101, dtype: float64).unsqueeze(1);
        var (y, logDerivative) = mixture.Forward(x, zeros(101, mixture.ParametersPerElement, dtype: float64));
        Largest(y.sub(x)).Should().BeLessThan(1e-12);
        Largest(logDerivative!).Should().BeLessThan(1e-12);
    }

    [Fact]
    public void One_component_is_an_affine_map()
    {
        using var scope = NewDisposeScope();
        using var mixture = new MixtureCdfTransformer(1);
        // weight, mean 2, log s = 7 tanh(3/7), a = 5 tanh(1/5), shift 4
        var parameters = tensor([0.3, 2, 3, 1, 4]).unsqueeze(0).expand(3, -1);
        var x = tensor([-1.0, 2, 30]).unsqueeze(1);
        var (size, scale) = (7 * Math.Tanh(3 / 7.0), 5 * Math.Tanh(1 / 5.0));
        var (y, logDerivative) = mixture.Forward(x, parameters);
        Largest(y.sub(x.sub(2).mul(Math.Exp(scale - size)).add(4))).Should().BeLessThan(1e-12);
        Largest(logDerivative!.sub(scale - size)).Should().BeLessThan(1e-12);
    }

    [Fact]
    public void The_value_is_the_logit_of_the_sum_of_the_distributions()
    {
        using var scope = NewDisposeScope();
        using var mixture = new MixtureCdfTransformer(3);
        var parameters = Parameters(mixture, 200, 1, float64);
        parameters.narrow(1, 9, 2).zero_();
        var x = randn(200, 1, dtype: float64);
        var weights = parameters.narrow(1, 0, 3).softmax(1);
        var u = x.sub(parameters.narrow(1, 3, 3)).div(parameters.narrow(1, 6, 3).div(7).tanh().mul(7).exp());
        var below = weights.mul(u.sigmoid()).sum(1, keepdim: true);
        var above = weights.mul(u.neg().sigmoid()).sum(1, keepdim: true);
        Largest(mixture.Forward(x, parameters).Value.sub(below.log().sub(above.log()))).Should().BeLessThan(1e-11);
    }

    [Theory, InlineData(1.0), InlineData(10.0), InlineData(100.0)]
    public void The_inverse_has_the_residual_that_is_promised(double spread)
    {
        using var scope = NewDisposeScope();
        using var mixture = new MixtureCdfTransformer(8);
        foreach (var dtype in new[] { float64, float32 })
        {
            var parameters = Parameters(mixture, 4000, spread, dtype);
            var y = cat([randn(3960, 1, dtype: dtype).mul(5), zeros(20, 1, dtype: dtype), full(20, 1, 1e4, dtype: dtype)]);
            var (x, inverse) = mixture.Inverse(y, parameters);
            inverse!.isfinite().all().item<bool>().Should().BeTrue();
            // x in float32 is a rounded root: the residual is that of a neighbour
            var exact = x.to(float64);
            var wide = parameters.to(float64);
            var (back, slope) = mixture.Forward(exact, wide);
            var allowed = y.to(float64).abs().clamp_min(1).mul(MixtureCdfTransformer.MaxResidual).add(
                slope!.exp().mul(exact.abs()).mul(dtype == float32 ? 1.2e-7 : 2.2e-16));
            Largest(back.sub(y.to(float64)).div(allowed)).Should().BeLessThan(1);
            if (dtype == float64)
                Largest(back.sub(y).div(y.abs().clamp_min(1).add(slope!.exp().mul(exact.abs()).mul(1e-2)))).Should().BeLessThan(1e-12);
        }
    }

    [Fact]
    public void Wild_parameters_and_inputs_give_finite_values_and_gradients()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        using var mixture = new MixtureCdfTransformer(8);
        foreach (var size in new[] { 10, 100, 1e4 })
            foreach (var inverse in new[] { false, true })
            {
                var x = cat([randn([1000, 1], generator: generator).mul(3),
                    tensor([0f, 1e4f, -1e4f, 1e30f, -1e30f, float.Epsilon]).unsqueeze(1)]).requires_grad_();
                var parameters = randn([x.shape[0], mixture.ParametersPerElement], generator: generator).mul(size).requires_grad_();
                var (y, logDerivative) = inverse ? mixture.Inverse(x, parameters) : mixture.Forward(x, parameters);
                y.isfinite().all().item<bool>().Should().BeTrue();
                logDerivative!.isfinite().all().item<bool>().Should().BeTrue();
                logDerivative.sum().add(y.narrow(0, 0, 1003).sum()).backward();
                x.grad!.isfinite().all().item<bool>().Should().BeTrue();
                parameters.grad!.isfinite().all().item<bool>().Should().BeTrue();
            }
    }

    [Fact]
    public void A_value_without_a_root_is_an_error()
    {
        using var scope = NewDisposeScope();
        using var mixture = new MixtureCdfTransformer(2);
        FluentActions.Invoking(() => mixture.Inverse(full(1, 1, double.NaN, dtype: float64), zeros(1, 8, dtype: float64))).Should()
            .Throw<InvalidOperationException>().WithMessage("MixtureCdfTransformer.Inverse found no root*");
        FluentActions.Invoking(() => mixture.Forward(zeros(2, 3), zeros(2, 8))).Should().Throw<ArgumentException>()
            .WithMessage("*8 parameters*(N, 8*");
        FluentActions.Invoking(() => new MixtureCdfTransformer(0)).Should().Throw<ArgumentOutOfRangeException>().WithMessage("*1 to 64*");
        FluentActions.Invoking(() => new MixtureCdfTransformer(65)).Should().Throw<ArgumentOutOfRangeException>().WithMessage("*1 to 64*");
    }

    [Fact]
    public void A_root_is_right_to_its_last_digits_where_the_next_number_has_a_large_residual()
    {
        using var scope = NewDisposeScope();
        using var mixture = new MixtureCdfTransformer(1);
        // numbers near 10¹⁵ are 0.125 apart, and a size of e⁻⁷ makes 137 of that: the root is 10¹⁵ + 0.0034
        var parameters = tensor(new[] { 0, 1e15, -100, 0, 0 }).unsqueeze(0);
        foreach (var kernel in new[] { true, false })
        {
            using var _ = KernelSwitch.Set(kernel, "Mixture");
            mixture.Inverse(full(1, 1, 3.7, dtype: float64), parameters).Value.item<double>().Should().BeApproximately(1e15, 0.5);
            // the residual alone is no proof: numbers that are none are refused as before
            FluentActions.Invoking(() => mixture.Inverse(full(1, 1, double.NaN, dtype: float64), parameters)).Should()
                .Throw<InvalidOperationException>().WithMessage("*found no root*");
        }
    }

    [Theory, InlineData(0.3), InlineData(1.0), InlineData(3.0), InlineData(10.0)]
    public void A_mixture_flow_with_large_weights_samples_or_names_the_layer_whose_numbers_are_too_large(double spread)
    {
        using var scope = NewDisposeScope();
        foreach (var dtype in new[] { float32, float64 })
            for (var seed = 0; seed < 3; seed++)
            {
                using var model = new MafModel(new MafOptions { Shape = [4], Hidden = 16, Layers = 2,
                    Transformer = AutoregressiveKind.Mixture }, 1);
                model.to(dtype);
                using (var generator = new Generator((ulong)(seed * 7 + 12345)))
                using (no_grad())
                    foreach (var p in model.parameters()) p.copy_(randn(p.shape, generator: generator).mul(spread));
                model.eval();
                try { model.Sample(16, seed: seed).isfinite().all().item<bool>().Should().BeTrue(); }
                catch (NonFiniteException e)
                {
                    // numbers that grow past the largest one from feature to feature
                    spread.Should().BeGreaterThan(2, "such weights are met after training");
                    e.Layer.Should().Contain("AutoregressiveLayer");
                    e.Message.Should().Match("MafModel.Sample*AutoregressiveLayer*");
                }
            }
    }

    private static Tensor Parameters(MixtureCdfTransformer mixture, long count, double spread, ScalarType dtype)
    {
        using var generator = new Generator(11);
        return randn([count, mixture.ParametersPerElement], dtype: dtype, generator: generator).mul(spread);
    }

    private static double Largest(Tensor t) => t.abs().max().item<double>();
}
