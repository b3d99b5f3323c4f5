using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Models;

/// <summary>A limit of what networks see: shifts and scales far out are those at the edge of the data.</summary>
public class InputLimitTests
{
    private static readonly IReadOnlyDictionary<string, Func<double?, Bijection>> layers = new Dictionary<string, Func<double?, Bijection>>
    {
        ["affine"] = limit => new AffineCouplingLayer([4], Mask.FirstHalf(4), new ResidualMlp(2, 4, 8, 1, 2, limit)),
        ["additive"] = limit => new AdditiveCouplingLayer([4], Mask.FirstHalf(4), new Mlp(2, 2, 8, 2, 2, limit)),
        ["spline"] = limit =>
            new CouplingLayer([4], Mask.FirstHalf(4), new SplineTransformer(4, 3), new ResidualMlp(2, 22, 8, 1, 2, limit)),
        ["autoregressive"] = limit =>
            new AutoregressiveLayer(new AffineTransformer([1]),
                new Made(4, 2, new() { Hidden = 9, Blocks = 1, ContextSize = 2, InputLimit = limit })),
        ["inverse autoregressive"] = limit =>
            new InvertedLayer(new AutoregressiveLayer(new AffineTransformer([1]),
                new Made(4, 2, new() { Hidden = 9, Blocks = 1, ContextSize = 2, InputLimit = limit }))),
    };

    public static TheoryData<string, ScalarType> All()
    {
        var data = new TheoryData<string, ScalarType>();
        foreach (var name in layers.Keys)
            foreach (var dtype in new[] { float32, float64 }) data.Add(name, dtype);
        return data;
    }

    [Theory, MemberData(nameof(All))]
    public void A_feature_or_a_context_far_out_changes_the_others_no_more_than_one_further_out(string name, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var layer = Create(name, 2, dtype);
        using var free = Create(name, null, dtype);
        var (others, freely) = (Change(layer, dtype), Change(free, dtype));
        others.Should().BeLessThan(dtype == float32 ? 1e-4 : 1e-6);
        // splines lie between their edges in any case
        if (name != "spline") freely.Should().BeGreaterThan(1e3, "without a limit a network of relus goes on along a line");
    }

    [Theory, MemberData(nameof(All))]
    public void Near_the_data_the_limit_changes_little(string name, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var layer = Create(name, 100, dtype);
        using var free = Create(name, null, dtype);
        var (x, context) = (randn(5, 4, dtype: dtype), randn(5, 2, dtype: dtype));
        layer.Forward(x, context).Value.sub(free.Forward(x, context).Value).abs().max().to(float64).item<double>().Should()
            .BeInRange(0, 1e-2);
    }

    [Theory, InlineData(BaseDensityKind.DiagonalNormal), InlineData(BaseDensityKind.GaussianMixture)]
    public void A_density_given_a_context_far_out_is_that_at_the_edge(BaseDensityKind kind)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        double Change(double? limit)
        {
            manual_seed(3);
            using var density = (MafOptions.Tabular(2) with { ContextSize = 1, Base = kind, InputLimit = limit }).NewBase();
            RandomWeights.Draw(density, 7, 0.1);
            density.to(float64);
            var z = zeros(1, 2, dtype: float64);
            return density.LogProb(z, full(1, 1, 1e6, dtype: float64)).sub(density.LogProb(z,
                full(1, 1, 1e9, dtype: float64))).abs().item<double>();
        }
        Change(2).Should().BeLessThan(1e-6);
        Change(null).Should().BeGreaterThan(1);
    }

    [Fact]
    public void The_largest_numbers_of_a_dtype_and_nan_are_as_they_should_be()
    {
        using var scope = NewDisposeScope();
        using var net = new Mlp(1, 1, 4, 1, inputLimit: 3);
        RandomWeights.Draw(net, 1);
        using var _ = no_grad();
        var y = net.call(tensor(new[] { 1e12f, float.MaxValue, float.PositiveInfinity, float.NaN }).unsqueeze(1),
            null).flatten().data<float>().ToArray();
        y[1].Should().Be(y[0]);
        y[2].Should().Be(y[0]);
        y[0].Should().NotBe(float.NaN);
        y[3].Should().Be(float.NaN);
    }

    [Theory, InlineData(0), InlineData(-1), InlineData(double.NaN), InlineData(double.PositiveInfinity)]
    public void A_limit_that_is_none_is_refused(double limit)
    {
        FluentActions.Invoking(() => new Mlp(1, 1, inputLimit: limit)).Should().Throw<ArgumentOutOfRangeException>()
            .WithMessage("The limit of a network's inputs must be in 0.01 ... 1000000:*");
        FluentActions.Invoking(() => new ResidualMlp(1, 1, inputLimit: limit)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => new Made(2, 2, new() { InputLimit = limit })).Should().Throw<ArgumentOutOfRangeException>();
    }

    // the most that the other features and the log-determinant change between 10⁶ and 10⁹
    private static double Change(Bijection layer, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var (x, context) = (randn(1, 4, dtype: dtype), randn(1, 2, dtype: dtype));
        double most = 0;
        foreach (var sign in new[] { 1.0, -1.0 })
            foreach (var ofContext in new[] { false, true })
            {
                var results = new[] { 1e6, 1e9 }.Select(size =>
                {
                    var (row, given) = (x.clone(), context.clone());
                    (ofContext ? given : row)[0, 0] = tensor(sign * size, dtype: dtype);
                    var (value, logDet) = layer.Forward(row, given);
                    return cat([value.narrow(1, ofContext ? 0 : 1, ofContext ? 4 : 3).flatten(), logDet!.reshape(-1)]);
                }).ToArray();
                most = Math.Max(most, results[0].sub(results[1]).abs().max().to(float64).item<double>());
            }
        return most;
    }

    private static Bijection Create(string name, double? limit, ScalarType dtype)
    {
        manual_seed(3);
        var layer = layers[name](limit);
        RandomWeights.Draw(layer, 7);
        layer.to(dtype);
        layer.eval();
        return layer;
    }
}
