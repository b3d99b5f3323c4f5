using RealNvp.Internal;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

/// <summary>Flow matching: its pairs, its loss, and what it refuses.</summary>
[LeavesNoTensors]
public class FlowMatchingTests
{
    [Theory, InlineData(1), InlineData(2), InlineData(3), InlineData(5), InlineData(7)]
    public void An_assignment_costs_as_little_as_the_best_of_all_permutations(int count)
    {
        var random = new Random(count);
        for (var trial = 0; trial < (count < 7 ? 60 : 12); trial++)
        {
            // whole numbers of a small range tie often
            double[] costs = [.. Enumerable.Range(0, count * count).Select(_ => trial % 3 == 0 ? random.Next(4) : trial % 3 == 1
                ? random.NextDouble() : -random.NextDouble() * 1e6)];
            var found = LinearAssignment.Solve(costs, count);
            found.Should().OnlyHaveUniqueItems().And.OnlyContain(j => j >= 0 && j < count);
            var best = Permutations(count).Min(p => Enumerable.Range(0, count).Sum(i => costs[(i * count) + p[i]]));
            Enumerable.Range(0, count).Sum(i => costs[(i * count) + found[i]]).Should().BeApproximately(best,
                1e-9 * Math.Max(1, Math.Abs(best)));
        }
    }

    [Theory, InlineData(200, 0), InlineData(120, 1), InlineData(150, 2)]
    public void Prices_prove_a_large_assignment_to_be_the_best(int count, int kind)
    {
        // of points on a line the best pairs are those in order
        var random = new Random(3);
        double[] Points() => [.. Enumerable.Range(0, count).Select(_ => kind == 1 ? random.Next(10) : random.NextDouble())];
        var (a, b) = (Points(), kind == 2 ? new double[count] : Points());
        double[] costs = [.. a.SelectMany(x => b.Select(y => (x - y) * (x - y)))];
        var found = LinearAssignment.Solve(costs, count);
        found.Should().OnlyHaveUniqueItems();
        var best = a.Order().Zip(b.Order(), (x, y) => (x - y) * (x - y)).Sum();
        found.Select((j, i) => costs[(i * count) + j]).Sum().Should().BeApproximately(best, 1e-9);
    }

    [Fact]
    public void A_Sinkhorn_plan_has_equal_sums_and_goes_over_to_the_best_assignment()
    {
        using var scope = NewDisposeScope();
        using var seed = new Generator(5);
        var costs = rand(20, 20, dtype: float64, generator: seed);
        var (plan, error) = SinkhornPlan.Log(costs.mul(20), 5000, 1e-10);
        error.Should().BeLessThan(1e-9);
        foreach (var sums in new[] { plan.exp().sum([0L]), plan.exp().sum([1L]) })
            sums.sub(1.0 / 20).abs().max().item<double>().Should().BeLessThan(1e-10);
        var (sharp, _) = SinkhornPlan.Log(costs.mul(2000), 20_000, 1e-6);
        LinearAssignment.Solve([.. costs.data<double>()], 20).Select(j => (long)j).Should().Equal(sharp.argmax(1).data<long>());
        // costs that no exponential holds
        SinkhornPlan.Log(costs.mul(1e7), 50, 1e-6).LogPlan.isfinite().all().item<bool>().Should().BeTrue();
    }

    [Theory, InlineData(FlowMatchingPairing.Independent), InlineData(FlowMatchingPairing.OptimalTransport),
        InlineData(FlowMatchingPairing.Sinkhorn)]
    public void Pairs_keep_the_latents_that_were_drawn_and_shorten_the_ways(FlowMatchingPairing pairing)
    {
        using var scope = NewDisposeScope();
        using var seed = new Generator(6);
        var (x0, x1) = (randn(64, 3, generator: seed), randn(64, 3, generator: seed));
        var paths = new FlatPaths(FlowMatchingPath.Straight, 0, []);
        var paired = MatchedPairs.Latents(pairing, paths, x0, x1, 0.05, seed);
        double Ways(Tensor from) => from.sub(x1).square().sum(1).mean().item<float>();
        var rows = x0.data<float>().Chunk(3).Select(r => string.Join(' ', r)).ToHashSet();
        paired.data<float>().Chunk(3).Select(r => string.Join(' ', r)).Should().OnlyContain(r => rows.Contains(r));
        if (pairing == FlowMatchingPairing.Independent) paired.equal(x0).all().item<bool>().Should().BeTrue();
        else Ways(paired).Should().BeLessThan(0.5 * Ways(x0));
        if (pairing == FlowMatchingPairing.OptimalTransport) paired.data<float>().Order().Should().Equal(x0.data<float>().Order());
        // parts keep their own
        var parted = MatchedPairs.Latents(pairing, paths, x0, x1, 0.05, seed, most: 24);
        parted.shape.Should().Equal(64, 3);
        var first = x0.narrow(0, 0, 24).data<float>().Chunk(3).Select(r => string.Join(' ', r)).ToHashSet();
        parted.narrow(0, 0, 24).data<float>().Chunk(3).Select(r => string.Join(' ', r)).Should().OnlyContain(r => first.Contains(r));
    }

    [Theory, InlineData(FlowMatchingPath.Straight), InlineData(FlowMatchingPath.Shrinking), InlineData(FlowMatchingPath.VariancePreserving)]
    public void A_velocity_is_the_derivative_of_its_path_also_on_circles(FlowMatchingPath path)
    {
        using var scope = NewDisposeScope();
        using var seed = new Generator(7);
        Tensor Points() => rand(200, 3, dtype: float64, generator: seed).mul(2 * Math.PI).sub(Math.PI);
        var (x0, x1, t, noise) = (Points(), Points(), rand(200, dtype: float64, generator: seed),
            randn(200, 3, dtype: float64, generator: seed));
        var paths = new FlatPaths(path, 0.1, [new Circle(0), new Circle(2)]);
        const double h = 1e-6;
        var (point, velocity) = paths.At(x0, x1, t, noise);
        Tensor At(double by) => paths.At(x0, x1, t.add(by), noise).Point;
        var difference = At(h).sub(At(-h));
        // across the edge a turn is added
        difference = difference.sub(difference.div(2 * Math.PI).round().mul(2 * Math.PI));
        difference.div(2 * h).sub(velocity).abs().max().item<double>().Should().BeLessThan(1e-8);
        foreach (var feature in new[] { 0, 2 })
        {
            var on = point.select(1, feature);
            on.ge(-Math.PI).logical_and(on.lt(Math.PI)).all().item<bool>().Should().BeTrue();
            velocity.select(1, feature).abs().max().item<double>().Should().BeLessThan(Math.PI + 1e-12,
                "no way is longer than half a turn");
        }
        var end = new FlatPaths(path, 0, [new Circle(0), new Circle(2)]).At(x0, x1, ones_like(t), null).Point.sub(x1);
        end.sub(end.div(2 * Math.PI).round().mul(2 * Math.PI)).abs().max().item<double>().Should().BeLessThan(1e-12);
    }

    [Fact]
    public void The_expected_loss_of_a_velocity_is_what_theory_says()
    {
        using var scope = NewDisposeScope();
        // data N(0, 4) and latents N(0, 1), independent: the velocity 0 has the loss E|x1 - x0|² = 5
        using var seed = new Generator(8);
        var x = randn(4096, 2, dtype: float32, generator: seed).mul(2);
        using var flow = Flow([2]);
        var loss = Objective.FlowMatching(new() { Pairing = FlowMatchingPairing.Independent });
        using var batch = new TrainingBatch(x.alias());
        var losses = loss.Loss(flow, batch, 1);
        losses.shape.Should().Equal(4096);
        var (mean, error) = (losses.mean().item<float>(), losses.std().item<float>() / 64);
        mean.Should().BeInRange(5 - (4 * error), 5 + (4 * error));
        loss.Loss(flow, batch, 1).equal(losses).all().item<bool>().Should().BeTrue("a seed decides all noise");
        loss.Loss(flow, batch, 2).equal(losses).all().item<bool>().Should().BeFalse();
        // pairs by optimal transport go from N(0, 1) to N(0, 4) by x1 = 2·x0, so E|x1 - x0|² = 1, and a batch of finite size more
        using var few = new TrainingBatch(x.narrow(0, 0, 512).alias());
        Objective.FlowMatching().Loss(flow, few, 1).mean().item<float>().Should().BeInRange(0.8f, 1.4f);
    }

    [Fact]
    public void Layers_before_the_velocity_make_its_data_and_layers_behind_are_undone_for_latents()
    {
        using var scope = NewDisposeScope();
        var follows = new Follows([2]);
        var scaled = new DiagonalScaling([2]);
        using (no_grad()) scaled.parameters().Single().fill_(Math.Log(3));
        foreach (var parameter in scaled.parameters()) parameter.requires_grad_(false);
        using var flow = new Flow([2], new Chain(scaled, new Chain(follows, new Permutation([2], [1, 0]))), new UniformBox([2], 4, 5));
        var x = ones(64, 2);
        using var batch = new TrainingBatch(x);
        _ = Objective.FlowMatching().Loss(flow, batch, 3);
        // on the way from the box at t = 0 to 3 at t = 1
        var (t, point) = (follows.Seen!.Value.T.unsqueeze(1), follows.Seen!.Value.X);
        var from = point.sub(t.mul(3)).div(t.neg().add(1));
        from.ge(4 - 1e-2).logical_and(from.le(5 + 1e-2)).all().item<bool>().Should().BeTrue();
        follows.Seen.Value.T.min().item<float>().Should().BeLessThan(1f / 64);
        follows.Seen.Value.T.max().item<float>().Should().BeGreaterThan(63f / 64);
        follows.Forget();
    }

    [Fact]
    public void What_it_cannot_train_is_refused_with_a_reason()
    {
        using var scope = NewDisposeScope();
        using var batch = new TrainingBatch(ones(8, 2));
        using var none = new Flow([2], new DiagonalScaling([2]));
        FluentActions.Invoking(() => Objective.FlowMatching().Loss(none, batch, 1)).Should().Throw<ArgumentException>()
            .WithMessage("*one layer that follows a velocity*has 0*");
        using var both = new Flow([2], new Chain(new DiagonalScaling([2]), new Follows([2])));
        FluentActions.Invoking(() => Objective.FlowMatching().Loss(both, batch, 1)).Should().Throw<ArgumentException>()
            .WithMessage("*other weights*bijection.layers.0.*freeze*");
        using var turned = new Flow([2], new InvertedLayer(new Follows([2])));
        FluentActions.Invoking(() => Objective.FlowMatching().Loss(turned, batch, 1)).Should().Throw<ArgumentException>()
            .WithMessage("*turned round*");
        using var hidden = new Flow([3], new SubsetLayer([3], [0, 1], new Follows([2])));
        using var three = new TrainingBatch(ones(8, 3));
        FluentActions.Invoking(() => Objective.FlowMatching().Loss(hidden, three, 1)).Should().Throw<ArgumentException>()
            .WithMessage("*parts them*Chain*");
        using var flow = Flow([2]);
        using var weighted = new TrainingBatch(ones(8, 2), weights: ones(8));
        FluentActions.Invoking(() => Objective.FlowMatching(new() { Pairing = FlowMatchingPairing.Sinkhorn }).Loss(flow, weighted, 1))
            .Should()
            .Throw<ArgumentException>().WithMessage("*the data have weights*");
        Objective.FlowMatching().Loss(flow, weighted, 1).isfinite().all().item<bool>().Should().BeTrue();
        FluentActions.Invoking(() => Objective.FlowMatching(new() { Sigma = -1 })).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => Objective.FlowMatching(new() { Path = FlowMatchingPath.Shrinking, Sigma = 1 })).Should()
            .Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => Objective.FlowMatching(new() { Regularization = 0 })).Should().Throw<ArgumentOutOfRangeException>();
        Objective.FlowMatching().Name.Should().Be("FlowMatching(path: Straight, sigma: 0, pairing: auto)");
    }

    [Fact]
    public void A_trainer_trains_and_validates_by_it()
    {
        using var scope = NewDisposeScope();
        using var seed = new Generator(9);
        var x = randn(400, 2, generator: seed).mul(0.3).add(2);
        using var flow = Flow([2]);
        using var trainer = new Trainer(flow, Objective.FlowMatching(), new TrainingOptions { Epochs = 20, BatchSize = 50,
            LearningRate = 1e-2 });
        var result = trainer.Fit(TrainingData.From(x), TrainingData.From(x));
        result.History[^1].ValidationLoss.Should().BeLessThan(0.2 * result.History[0].Loss);
        flow.Info.HeldOutLogProb.Should().BeNull("the loss is no log-likelihood");
        // all examples move towards (2, 2)
        var velocity = ((Follows)flow.Bijection).Dynamics.Velocity(full(100, 0.5f), randn(100, 2, generator: seed));
        velocity.mean().item<float>().Should().BeGreaterThan(1);
    }

    private static Flow Flow(EventShape shape) => new(shape, new Follows(shape));

    private static IEnumerable<int[]> Permutations(int count) => count == 0 ? [[]] : Permutations(count - 1)
        .SelectMany(p => Enumerable.Range(0, count).Select(at => p.Take(at).Append(count - 1).Concat(p.Skip(at)).ToArray()));

    /// <summary>A layer of a user's that follows a velocity, by a few steps of Euler.</summary>
    private sealed class Follows : Bijection, IFollowsVelocity
    {
        private readonly Watched dynamics;

        public Follows(EventShape shape) : base(nameof(Follows), shape)
        {
            dynamics = new Watched(shape);
            RegisterComponents();
        }

        public Dynamics Dynamics => dynamics;

        public (Tensor T, Tensor X)? Seen => dynamics.Seen;

        public void Forget() => dynamics.Forget();

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => (x.clone(), null);

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (z.clone(), null);
    }

    private sealed class Watched : Dynamics
    {
        private readonly TimeMlp network;
        private (Tensor T, Tensor X)? seen;

        public Watched(EventShape shape) : base(nameof(Watched), shape)
        {
            // the same weights whatever was drawn before
            manual_seed(1);
            network = new TimeMlp(shape, 16, 1);
            RegisterComponents();
        }

        public (Tensor T, Tensor X)? Seen => seen;

        public override Tensor Velocity(Tensor t, Tensor x, Tensor? context = null)
        {
            Forget();
            seen = (t.detach().clone().DetachFromDisposeScope(), x.detach().clone().DetachFromDisposeScope());
            return network.Velocity(t, x);
        }

        public void Forget()
        {
            seen?.T.Dispose();
            seen?.X.Dispose();
            seen = null;
        }

        protected override void Dispose(bool disposing)
        {
            Forget();
            base.Dispose(disposing);
        }
    }
}
