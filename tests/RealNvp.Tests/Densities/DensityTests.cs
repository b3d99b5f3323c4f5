using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Densities;

public class DensityTests
{
    public static TheoryData<string> Names => DensityTable.Names;

    [Fact]
    public void Every_density_is_in_the_table() =>
        typeof(Density).Assembly.GetTypes().Where(t => t is { IsAbstract: false } && t.IsSubclassOf(typeof(Density))).Should()
            .OnlyContain(t => DensityTable.All.Any(row => TypeOf(row.Make) == t));

    [Theory, MemberData(nameof(Names)), LeavesNoTensors]
    public void The_density_integrates_to_one_and_samples_have_its_moments(string name)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var density = Make(name);
        var context = Context(density, 1);
        // midpoints of a grid that reaches far
        var row = DensityTable.Find(name);
        const int side = 1200;
        var reach = row.Reach;
        var step = 2 * reach / side;
        var line = arange(side, dtype: float64).add(0.5).mul(step).sub(reach);
        var grid = stack([line.repeat_interleave(side), line.repeat(side)], 1);
        var cell = step * step;
        if (row.IsOnCircle)
        {
            var angle = arange(side * side, dtype: float64).add(0.5).mul(2 * Math.PI / (side * side));
            (grid, cell) = (stack([angle.cos(), angle.sin()], 1), 2 * Math.PI / (side * side));
        }
        var p = density.LogProb(grid, context?.expand(grid.shape[0], -1)).exp().mul(cell);
        var mass = p.sum().item<double>();
        mass.Should().BeApproximately(1, row.MassTolerance);

        using var generator = new Generator(5);
        const long count = 200_000;
        var z = density.Sample(count, 1, float64, CPU, generator, context?.expand(count, -1));
        z.shape.Should().Equal(count, 2);
        // cells of a coarse histogram: each count is binomial, six standard deviations of it allowed
        foreach (var (low, high) in new[] { (-16.0, -1.0), (-1, 0), (0, 0.5), (0.5, 2), (2, 16) })
            for (var column = 0; column < 2; column++)
            {
                var expected = p.masked_select(Within(grid.select(1, column), low, high)).sum().item<double>() / mass;
                var found = Within(z.select(1, column), low, high).to(float64).mean().item<double>();
                found.Should().BeApproximately(expected, 6 * Math.Sqrt(Math.Max(expected * (1 - expected), 1e-5) / count)
                    + row.HistogramTolerance, "{0} to {1} of element {2}", low, high, column);
            }
        // temperature 0 is where the spread is gone: twice the same but for the choice of a part
        if (!row.ChoosesAPart)
            density.Sample(50, 0, float64, CPU, generator, context?.expand(50, -1)).std(0, unbiased: false).max().item<double>().Should()
                .BeLessThan(1e-12);
    }

    [Theory, MemberData(nameof(Names))]
    public void The_gradients_are_those_of_finite_differences(string name)
    {
        using var scope = NewDisposeScope();
        using var density = Make(name);
        var context = Context(density, 6);
        var z = rand([6, 2], dtype: float64).mul(2).sub(0.7);
        if (!density.parameters().Any() || DensityTable.Find(name).WeightsDoNothing) return;
        Tensor Loss() => density.LogProb(z, context).sum();
        Loss().backward();
        foreach (var (key, parameter) in density.named_parameters())
        {
            using var _ = no_grad();
            var direction = randn_like(parameter);
            const double h = 1e-6;
            parameter.add_(direction.mul(h));
            var above = Loss().item<double>();
            parameter.sub_(direction.mul(2 * h));
            var below = Loss().item<double>();
            parameter.add_(direction.mul(h));
            parameter.grad!.mul(direction).sum().item<double>().Should().BeApproximately((above - below) / (2 * h),
                1e-5 * Math.Max(1, Math.Abs(above)), "{0}", key);
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Extremes_are_finite_and_shapes_and_contexts_are_checked(string name)
    {
        using var scope = NewDisposeScope();
        using var density = Make(name).to(float32);
        var context = Context(density, 3)?.to(float32);
        var z = tensor(new float[,] { { 1e4f, -1e4f }, { 0, 1e-30f }, { 1e15f, -1e15f } }).requires_grad_();
        var logProb = density.LogProb(z, context);
        if (DensityTable.Find(name).AtExtremes is { } expected) logProb.data<float>().ToArray().Should().Equal(expected);
        else
        {
            logProb.isfinite().all().item<bool>().Should().BeTrue();
            logProb.sum().backward();
            z.grad!.isfinite().all().item<bool>().Should().BeTrue();
        }
        density.LogProb(z.detach()[..0], context?[..0]).shape.Should().Equal(0);
        density.Sample(0, 1, float32, CPU, null, context?[..0]).shape.Should().Equal(0, 2);
        FluentActions.Invoking(() => density.LogProb(zeros(3, 5), context)).Should().Throw<ArgumentException>()
            .WithMessage("*expects z of shape (N, 2); got (3, 5)*");
        FluentActions.Invoking(() => density.Sample(-1, 1, float32, CPU, null, context)).Should().Throw<ArgumentOutOfRangeException>();
        if (context is null)
            FluentActions.Invoking(() => density.LogProb(zeros(3, 2), zeros(3, 1))).Should().Throw<ArgumentException>()
                .WithMessage("*takes no context*");
        else
            FluentActions.Invoking(() => density.LogProb(zeros(3, 2))).Should().Throw<ArgumentNullException>()
                .WithMessage("*is conditional*");
    }

    [Theory, InlineData("diagonal normal"), InlineData("diagonal normal, context"), InlineData("class-conditional normal"),
        InlineData("Student t")]
    public void Reparameterized_samples_have_gradients_to_the_weights(string name)
    {
        using var scope = NewDisposeScope();
        using var density = Make(name);
        density.Sample(20, 1, float64, CPU, null, Context(density, 20)).square().sum().backward();
        foreach (var parameter in density.parameters()) parameter.grad!.abs().sum().item<double>().Should().BeGreaterThan(0);
    }

    [Fact]
    public void A_resampled_normal_learns_its_normalizer_in_training_and_estimates_it_after()
    {
        using var scope = NewDisposeScope();
        using var density = (ResampledNormal)Make("resampled normal");
        density.train();
        var before = density.Normalizer;
        for (var i = 0; i < 100; i++) density.LogProb(randn(4, 2, dtype: float64)).Dispose();
        var running = density.Normalizer;
        density.EstimateNormalizer(300_000, seed: 1).Should().Be(density.Normalizer);
        running.Should().BeApproximately(density.Normalizer, 0.02);
        before.Should().NotBe(running);
        density.EstimateNormalizer(1000, seed: 1).Should().Be(density.EstimateNormalizer(1000, seed: 1));
    }

    [Fact]
    public void A_flow_learns_classes_with_a_class_conditional_base()
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        using var flow = new Flow([2], new DiagonalScaling([2]), new ClassConditionalNormal([2], 2), new LabelEncoder(2));
        flow.ContextShape!.Value.Count.Should().Be(0);
        var labels = randint(2, [2000], dtype: int64);
        var x = randn(2000, 2).add(labels.to(float32).mul(6).sub(3).unsqueeze(1));
        using var trainer = new Trainer(flow, new TrainingOptions { Epochs = 15, BatchSize = 100, LearningRate = 0.03,
            ValidationFraction = 0 });
        trainer.Fit(TrainingData.From(x, labels));
        // the classes part: a sample of one lies where its data lie
        var samples = flow.Sample(500, tensor(new long[] { 0, 1 }), seed: 2);
        samples.shape.Should().Equal(2, 500, 2);
        samples.mean([1L])[0, 0].item<float>().Should().BeApproximately(-3, 0.4f);
        samples.mean([1L])[1, 0].item<float>().Should().BeApproximately(3, 0.4f);
        flow.Evaluate(x, labels).MeanLogProb.Should().BeApproximately(-Math.Log(2 * Math.PI) - 1, 0.1);
    }

    private static Density Make(string name)
    {
        // the weights of networks too are the same in each run: wide ones would reach beyond the grid
        manual_seed(1);
        var row = DensityTable.Find(name);
        var density = row.Make();
        using (var generator = new Generator(3))
        using (NewDisposeScope())
        using (no_grad())
            foreach (var parameter in density.parameters()) parameter.add_(randn(parameter.shape, generator: generator).mul(0.25));
        density.to(float64);
        row.Settle(density);
        density.eval();
        return density;
    }

    private static Tensor? Context(Density density, long count)
    {
        if (density.ContextSize == 0) return null;
        var context = zeros(count, density.ContextSize, dtype: float64);
        context.select(1, 1).fill_(1);
        return context;
    }

    private static Tensor Within(Tensor values, double low, double high) => values.ge(low).logical_and(values.lt(high));

    private static Type TypeOf(Func<Density> make)
    {
        using var density = make();
        return density.GetType();
    }
}
