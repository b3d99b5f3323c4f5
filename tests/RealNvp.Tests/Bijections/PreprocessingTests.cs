using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections;

/// <summary>Likelihoods against closed forms, computed in plain C# doubles.</summary>
public class PreprocessingTests
{
    private const double LogRoot2Pi = 0.91893853320467274178;

    [Theory, InlineData(0.05), InlineData(1e-3), InlineData(0.3)]
    public void The_logit_and_its_log_det_are_those_of_the_formula(double alpha)
    {
        using var scope = NewDisposeScope();
        double[] values = [0, 0.001, 0.25, 0.5, 0.9, 1];
        using var layer = new LogitTransform(alpha);
        var (z, logDet) = layer.Forward(tensor(values).unsqueeze(0));
        double expected = 0;
        for (var i = 0; i < values.Length; i++)
        {
            var p = alpha + ((1 - (2 * alpha)) * values[i]);
            z[0, i].item<double>().Should().BeApproximately(Math.Log(p / (1 - p)), 1e-12);
            expected += Math.Log(1 - (2 * alpha)) - Math.Log(p) - Math.Log(1 - p);
        }
        logDet[0].item<double>().Should().BeApproximately(expected, 1e-12);
    }

    [Fact]
    public void The_inverse_of_the_logit_is_exact_beyond_0_and_1()
    {
        using var scope = NewDisposeScope();
        const double alpha = 0.05;
        double[] values = [-12, -4, 0, 3.5, 12];
        using var layer = new LogitTransform(alpha);
        var z = tensor(values).unsqueeze(0);
        var (x, logDet) = layer.Inverse(z);
        double expected = 0;
        for (var i = 0; i < values.Length; i++)
        {
            var p = 1 / (1 + Math.Exp(-values[i]));
            x[0, i].item<double>().Should().BeApproximately((p - alpha) / (1 - (2 * alpha)), 1e-12);
            expected += Math.Log(p) + Math.Log(1 - p) - Math.Log(1 - (2 * alpha));
        }
        logDet[0].item<double>().Should().BeApproximately(expected, 1e-9);
        x[0, 0].item<double>().Should().BeApproximately(-alpha / (1 - (2 * alpha)), 1e-5).And.BeLessThan(-0.05);
        x[0, 4].item<double>().Should().BeGreaterThan(1.05);
        layer.Forward(x).Value.sub(z).abs().max().item<double>().Should().BeLessThan(1e-8);
        layer.Inverse(tensor(new[] { -1e4f, 1e4f }).unsqueeze(0)).LogDet.isfinite().all().item<bool>().Should().BeTrue();
    }

    [Theory, InlineData(2), InlineData(17), InlineData(256)]
    public void With_a_logistic_base_every_image_costs_log2_of_the_levels_less_log2_of_1_minus_2_alpha(int levels)
    {
        // logit(p) of a uniform p is a standard logistic, so the model is uniform in p: its density of x in [0, 1] is 1 - 2α,
        // whatever x and the noise are, and that of an integer is (1 - 2α)/K
        using var scope = NewDisposeScope();
        const double alpha = 0.05;
        var options = RealNvpOptions.Image([1, 4, 4], scales: 2, blocks: 0, hidden: 2) with { Levels = levels, LogitAlpha = alpha,
            FlowBatchNorm = false, Base = BaseDensityKind.StandardLogistic };
        using var model = new RealNvpModel(options, seed: 0);
        model.to(float64);
        using var generator = new Generator(1);
        var x = randint(levels, [7, 1, 4, 4], generator: generator);
        var bits = Math.Log2(levels) - Math.Log2(1 - (2 * alpha));
        foreach (var seed in new long[] { 0, 1, 99 })
        {
            foreach (var value in model.BitsPerDim(x, seed: seed).data<double>()) value.Should().BeApproximately(bits, 1e-12);
            foreach (var value in model.LogProb(x, seed: seed).data<double>())
                value.Should().BeApproximately(-16 * bits * Math.Log(2), 1e-10);
        }
        model.Evaluate(x).BitsPerDim.Should().BeApproximately(bits, 1e-12);
        model.to(float32);
        foreach (var value in model.BitsPerDim(x, seed: 0).data<float>()) ((double)value).Should().BeApproximately(bits, 1e-5);
    }

    [Fact]
    public void A_new_model_gives_the_likelihood_of_its_preprocessing_under_a_normal()
    {
        using var scope = NewDisposeScope();
        const int levels = 17;
        const double alpha = 0.05;
        const long seed = 7;
        var options = RealNvpOptions.Image([1, 4, 4], scales: 2, blocks: 1, hidden: 2) with { Levels = levels, LogitAlpha = alpha,
            FlowBatchNorm = false };
        using var model = new RealNvpModel(options, seed: 0);
        model.to(float64);
        using var generator = new Generator(3);
        var x = randint(levels, [5, 1, 4, 4], dtype: float64, generator: generator);
        using var same = new Generator((ulong)seed);
        var noise = rand([5, 1, 4, 4], dtype: float64, generator: same).data<double>().ToArray();
        var values = x.data<double>().ToArray();
        var logProb = model.LogProb(x, seed: seed).data<double>().ToArray();
        var bits = model.BitsPerDim(x, seed: seed).data<double>().ToArray();
        for (var n = 0; n < 5; n++)
        {
            double expected = 0;
            for (var i = 16 * n; i < 16 * (n + 1); i++)
            {
                var p = alpha + ((1 - (2 * alpha)) * (values[i] + noise[i]) / levels);
                var z = Math.Log(p / (1 - p));
                expected += (-0.5 * z * z) - LogRoot2Pi + Math.Log(1 - (2 * alpha)) - Math.Log(p) - Math.Log(1 - p) - Math.Log(levels);
            }
            logProb[n].Should().BeApproximately(expected, 1e-9);
            bits[n].Should().BeApproximately(-expected / (16 * Math.Log(2)), 1e-10);
        }
    }

    [Fact]
    public void The_probabilities_of_all_integers_sum_to_the_mass_of_the_base_that_they_reach()
    {
        // P(k) = E_u p(k + u); the integers' cells fill x in [0, 1], which is z in [logit α, logit (1 - α)] = ±2.9444: 2 Φ(2.9444) - 1
        using var scope = NewDisposeScope();
        using var flow = new Flow([1], new Chain(new UniformDequantization(4, [1]), new LogitTransform(0.05, [1])));
        var x = arange(0, 4, dtype: float64).reshape(4, 1).repeat(400_000, 1);
        var total = flow.LogProb(x, seed: 1).exp().mean().item<double>() * 4;
        total.Should().BeApproximately(0.996764, 0.002);
    }

    [Fact]
    public void Dequantization_stays_in_the_cell_of_its_integer_in_single_precision_too()
    {
        using var scope = NewDisposeScope();
        foreach (var levels in new[] { 2, 17, 256, 4096 })
        {
            using var layer = new UniformDequantization(levels);
            var x = arange(0, levels, dtype: float32).repeat(4_000_000 / levels).unsqueeze(0);
            manual_seed(levels);
            var (z, logDet) = layer.Forward(x);
            z.min().item<float>().Should().BeGreaterThanOrEqualTo(0);
            z.max().item<float>().Should().BeLessThan(1);
            layer.Inverse(z).Value.ne(x).sum().item<long>().Should().Be(0, "every one of the {0} integers in 0 ... {1} comes back",
                x.numel(), levels - 1);
            logDet.item<float>().Should().BeApproximately((float)(-x.numel() * Math.Log(levels)), 1e-6f * x.numel());
            var noise = z.to(float64).mul(levels).sub(x);
            noise.mean().item<double>().Should().BeApproximately(0.5, 1e-3);
            noise.mul(noise).mean().item<double>().Should().BeApproximately(1.0 / 3, 1e-3, "the noise is uniform");
        }
    }

    [Theory, MemberData(nameof(Images))]
    public void Integers_come_back_from_their_latents(string name)
    {
        using var scope = NewDisposeScope();
        var options = PresetTable.All[name];
        using var model = PresetTable.Create(name);
        var x = PresetTable.Examples(options, 64);
        var context = PresetTable.Context(options, 64);
        model.Decode(model.Encode(x, context, seed: 2), context).ne(x).sum().item<long>().Should().Be(0);
        var bytes = model.Decode(model.Encode(x.to(options.Levels > 256 ? int32 : uint8), context, seed: 2), context);
        bytes.ne(x).sum().item<long>().Should().Be(0, "integers are accepted as they are");
    }

    public static TheoryData<string> Images => [.. PresetTable.All.Where(p => p.Value.Levels > 0).Select(p => p.Key)];

    [Fact]
    public void Training_mirrors_about_half_of_the_images_and_evaluation_none()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var x = rand([4000, 2, 3, 4], generator: generator);
        using var layer = new RandomHorizontalFlip();
        manual_seed(5);
        var (z, logDet) = layer.Forward(x);
        var kept = z.eq(x).flatten(1).all(1);
        var mirrored = z.eq(x.flip(3)).flatten(1).all(1);
        kept.logical_xor(mirrored).all().item<bool>().Should().BeTrue("each image is itself or its mirror image, exactly");
        // a binomial with n = 4000 has a deviation of 32
        mirrored.sum().item<long>().Should().BeInRange(2000 - 160, 2000 + 160);
        logDet.abs().max().item<float>().Should().Be(0);
        layer.Inverse(x).Value.equal(x).all().item<bool>().Should().BeTrue();
        layer.eval();
        layer.Forward(x).Value.equal(x).all().item<bool>().Should().BeTrue();
        using var always = new RandomHorizontalFlip(1);
        always.Forward(x).Value.equal(x.flip(3)).all().item<bool>().Should().BeTrue();
        using var never = new RandomHorizontalFlip(0);
        never.Forward(x).Value.equal(x).all().item<bool>().Should().BeTrue();
    }

    [Fact]
    public void A_standardized_flow_is_the_normal_with_the_moments_of_the_data_in_their_units()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(4);
        var data = randn([500, 3], dtype: float64, generator: generator).mul(tensor([1e-3, 1.0, 1e4])).add(tensor([5.0, -2, 3e5]));
        var layer = new Standardization([3]);
        layer.to(float64);
        layer.Fit(data);
        using var flow = new Flow([3], layer);
        var rows = data.data<double>().ToArray();
        var (mean, deviation) = (new double[3], new double[3]);
        for (var d = 0; d < 3; d++)
        {
            var column = Enumerable.Range(0, 500).Select(n => rows[(3 * n) + d]).ToArray();
            mean[d] = column.Average();
            deviation[d] = Math.Sqrt(column.Average(v => (v - mean[d]) * (v - mean[d])));
        }
        var logProb = flow.LogProb(data).data<double>().ToArray();
        for (var n = 0; n < 20; n++)
        {
            double expected = 0;
            for (var d = 0; d < 3; d++)
            {
                var z = (rows[(3 * n) + d] - mean[d]) / deviation[d];
                expected += (-0.5 * z * z) - Math.Log(deviation[d]) - LogRoot2Pi;
            }
            logProb[n].Should().BeApproximately(expected, 1e-6);
        }
    }

    [Fact]
    public void Standardization_refuses_data_that_have_no_density()
    {
        using var scope = NewDisposeScope();
        using var layer = new Standardization([2]);
        Refused(zeros(5, 3), "*expects x of shape (N, 2); got (5, 3)*");
        Refused(zeros(1, 2), "*at least 2 examples; got 1*");
        Refused(cat([rand(5, 1), ones(5, 1)], 1), "*feature 1 is constant*Remove the feature, or add noise*");
        Refused(full([5, 2], float.NaN), "*NaN*");
        Refused(zeros(5, 2, int64), "*floating-point dtype; got Int64*");

        void Refused(Tensor x, string message)
        {
            var fit = () => layer.Fit(x);
            fit.Should().Throw<ArgumentException>().WithMessage(message);
        }
    }

    [Fact]
    public void Data_that_are_no_levels_are_refused()
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([2], new UniformDequantization(4));
        foreach (var bad in new[] { 0.5, 4, -1, 1e9 })
            FluentActions.Invoking(() => flow.LogProb(tensor(new[,] { { 1, bad } }))).Should().Throw<ArgumentException>()
                .WithMessage("*expects whole numbers in 0 ... 3*");
        FluentActions.Invoking(() => flow.LogProb(tensor(new[,] { { 0, 0.5 } }))).Should().Throw<ArgumentException>()
            .WithMessage("*with fractions. Data in [[]0, 1] must be turned back into whole numbers first: (x * 3).round().*".Replace("[[]",
            "[", StringComparison.Ordinal));
        FluentActions.Invoking(() => flow.LogProb(tensor(new[,] { { 1.5, 2 } }))).Should().Throw<ArgumentException>().Which.Message.Should()
            .NotContain("turned back");
        flow.LogProb(tensor(new[,] { { 3.0, 0 } })).shape.Should().Equal(1);
    }

    [Fact]
    public void Options_out_of_range_are_refused()
    {
        foreach (var alpha in new[] { 0, 0.5, -1, double.NaN })
            Refused(() => _ = new LogitTransform(alpha), "*Alpha*must be in 1E-06 ... 0.49:*");
        Refused(() => _ = new UniformDequantization(1), "*levels*");
        foreach (var probability in new[] { -0.1, 1.1, double.NaN })
            Refused(() => _ = new RandomHorizontalFlip(probability), "*probability must be in [[]0, 1]*");

        static void Refused(Action action, string message) =>
            action.Should().Throw<ArgumentOutOfRangeException>().WithMessage(message.Replace("[[]", "[", StringComparison.Ordinal));
    }

    [Fact]
    public void More_levels_than_the_dtype_can_tell_apart_are_refused_and_all_others_come_back()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (var (bits, dtype, fits) in new[] { (8, float32, true), (20, float32, true), (21, float32, false), (24, float32, false),
            (24, float64, true) })
        {
            var x = randint(0, 1L << bits, [20_000, 2], dtype: int64).to(dtype);
            foreach (var layer in new Bijection[] { new UniformDequantization(1 << bits, [2]), new VariationalDequantization([2], 1 << bits,
                2, 4) })
                using (layer)
                {
                    layer.to(dtype);
                    if (fits)
                    {
                        layer.Inverse(layer.Forward(x).Value).Value.equal(x).all().item<bool>().Should().BeTrue("{0} levels in {1}",
                            1 << bits, dtype);
                        continue;
                    }
                    layer.Invoking(l => l.Forward(x)).Should().Throw<InvalidOperationException>()
                        .WithMessage($"{layer.GetName()} has {1 << bits} levels*it holds 1048576*model.to(torch.float64)*");
                    layer.Invoking(l => l.Inverse(x)).Should().Throw<InvalidOperationException>();
                }
        }
    }
}
