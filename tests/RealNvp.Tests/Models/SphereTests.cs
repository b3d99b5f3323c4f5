using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Models;

/// <summary>Flows on spheres: densities by area, and flow matching along great circles.</summary>
public class SphereTests
{
    [Theory, InlineData(FfjordNetwork.Plain), InlineData(FfjordNetwork.ConcatSquash), LeavesNoTensors]
    public void The_density_of_a_sphere_is_1_in_all(FfjordNetwork network)
    {
        using var scope = NewDisposeScope();
        using var model = Random(FfjordOptions.Sphere(3) with { Hidden = 12, Network = network }, 0.25);
        // Gauss and Legendre in z, equal angles about it
        var (z, weights) = GaussLegendre(32);
        const int around = 64;
        var angle = arange(around, dtype: float64).mul(2 * Math.PI / around).repeat(32);
        var (height, weight) = (z.repeat_interleave(around), weights.repeat_interleave(around).mul(2 * Math.PI / around));
        var radius = height.square().neg().add(1).sqrt();
        var logProb = model.LogProb(stack([radius.mul(angle.cos()), radius.mul(angle.sin()), height], 1));
        logProb.exp().mul(weight).sum().item<double>().Should().BeApproximately(1, 1e-6);
        logProb.std().item<double>().Should().BeGreaterThan(0.2, "it is another density than the uniform one");
    }

    [Fact, LeavesNoTensors]
    public void The_log_det_is_that_of_the_Jacobian_in_tangent_coordinates()
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        foreach (var size in new[] { 2, 3, 4, 6 })
        {
            using var model = Random(FfjordOptions.Sphere(size) with { Hidden = 8, Tolerance = 1e-12 });
            var x = Points(1, size);
            var (z, logDet) = model.Bijection.Forward(x);
            // steps along great circles in two orthonormal frames, at x and at z
            var (at, there) = (Frame(x), Frame(z));
            const double h = 1e-4;
            Tensor Moved(double by) => model.Bijection.Forward(x.mul(Math.Cos(by)).add(at.mul(Math.Sin(by)))).Value;
            var near = Moved(h).sub(Moved(-h)).div(2 * h);
            var far = Moved(2 * h).sub(Moved(-2 * h)).div(4 * h);
            var jacobian = near.mul(4).sub(far).div(3).mm(there.t());
            linalg.slogdet(jacobian).Item2.item<double>().Should().BeApproximately(logDet.item<double>(), 1e-8);
        }
    }

    [Fact, LeavesNoTensors]
    public void Every_solver_stays_on_the_sphere_to_the_last_digit()
    {
        using var scope = NewDisposeScope();
        using var model = Random(FfjordOptions.Sphere(3) with { Hidden = 12 });
        foreach (var solver in new OdeOptions[] { new(), new() { Method = OdeMethod.Euler, Steps = 3 },
            new() { Method = OdeMethod.Midpoint, Steps = 4 } })
            model.SampleWith(solver, 50, seed: 1).norm(1).sub(1).abs().max().item<double>().Should().BeLessThan(1e-15);
        model.Sample(50, seed: 1).norm(1).sub(1).abs().max().item<double>().Should().BeLessThan(1e-15);
        // two rough steps of Euler are still steps of the sphere: they go where more steps go
        var exact = model.Sample(50, seed: 1);
        double Off(int steps) => model.SampleWith(new() { Method = OdeMethod.Euler, Steps = steps }, 50, seed: 1).sub(exact).abs().mean()
            .item<double>();
        (Off(20) / Off(40)).Should().BeInRange(1.6, 2.5);
        // and the way back
        var x = Points(20, 3);
        model.Decode(model.Encode(x)).sub(x).abs().max().item<double>().Should().BeLessThan(1e-7);
    }

    [Fact, LeavesNoTensors]
    public void Derivatives_are_the_same_by_any_way_to_them()
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        foreach (var size in new[] { 2, 3, 7 })
        {
            using var own = new SphericalDynamics(new TimeMlp([size], 6, 2));
            RandomWeights.Draw(own, 4, 0.5);
            own.to(float64);
            using var module = new SphericalDynamics(Dynamics.From(new Through(own)));
            using var plain = new Plain(own);
            var (t, x) = (rand(5, dtype: float64), randn(5, size, dtype: float64));
            // short vectors are slower
            x[0].mul_(0.3 / x[0].norm().item<double>());
            var vectors = randn(3, 5, size, dtype: float64);
            using var gradients = no_grad();
            var (velocity, divergence) = own.VelocityAndDivergence(t, x);
            Close(velocity.mul(x).sum(1), zeros(5, dtype: float64));
            Close(plain.VelocityAndDivergence(t, x).Divergence, divergence);
            // what is along the sphere already stays as it is
            var on = x.div(x.norm(1, keepdim: true));
            Close(module.VelocityAndDivergence(t, on).Divergence, own.VelocityAndDivergence(t, on).Divergence);
            var transposed = plain.VelocityAndProducts(t, x, vectors).Products;
            var products = own.VelocityAndProducts(t, x, vectors).Products;
            // vᵀ(Ja) = (Jᵀv)ᵀa
            Close(products[0].mul(vectors[1]).sum(1), transposed[1].mul(vectors[0]).sum(1));
            Close(module.VelocityAndProducts(t, on, vectors).Products[0].mul(vectors[1]).sum(1),
                own.VelocityAndProducts(t, on, vectors).Products[1].mul(vectors[0]).sum(1));
        }

        static void Close(Tensor a, Tensor b) => a.sub(b).abs().max().item<double>().Should().BeLessThan(1e-12);
    }

    [Fact, LeavesNoTensors]
    public void Paths_are_great_circles_and_pairs_shorten_them()
    {
        using var scope = NewDisposeScope();
        var (x0, x1) = (Points(64, 4, 1), Points(64, 4, 2));
        // the same point, and the opposite one
        x1[0].copy_(x0[0]);
        x1[1].copy_(x0[1].neg());
        var t = rand(64, dtype: float64);
        foreach (var sigma in new[] { 0, 0.2 })
        {
            var paths = new SpherePaths(sigma);
            using var seed = new Generator(4);
            var noise = paths.NoiseFor(x1, seed);
            Tensor At(double by) => paths.At(x0, x1, t.add(by), noise).Point;
            var (point, velocity) = paths.At(x0, x1, t, noise);
            At(1e-6).sub(At(-1e-6)).div(2e-6).sub(velocity).abs().max().item<double>().Should().BeLessThan(1e-8);
            point.norm(1).sub(1).abs().max().item<double>().Should().BeLessThan(1e-14);
            velocity.mul(point).sum(1).abs().max().item<double>().Should().BeLessThan(1e-14);
            var angles = x0.mul(x1).sum(1).clamp(-1, 1).acos();
            velocity.norm(1).sub(angles).abs().max().item<double>().Should().BeLessThan(1e-7, "all are as fast as their way is long");
        }
        var straight = new SpherePaths(0);
        straight.At(x0, x1, ones(64, dtype: float64), null).Point.sub(x1).abs().max().item<double>().Should().BeLessThan(1e-14);
        straight.At(x0, x1, zeros(64, dtype: float64), null).Point.sub(x0).abs().max().item<double>().Should().BeLessThan(1e-14);
        var single = straight.At(x0.to(float32), x1.to(float32), t.to(float32), null);
        single.Point.norm(1).sub(1).abs().max().item<float>().Should().BeLessThan(1e-6f);
        var costs = straight.Costs(x0, x1);
        costs.diagonal().sub(x0.mul(x1).sum(1).clamp(-1, 1).acos().square()).abs().max().item<double>().Should().BeLessThan(1e-7);
        var paired = MatchedPairs.Latents(FlowMatchingPairing.OptimalTransport, straight, x0, x1, 0.05, null);
        straight.Costs(paired, x1).diagonal().sum().item<double>().Should().BeLessThan(0.5 * costs.diagonal().sum().item<double>());
        // the spread of a rotation by noise is isotropic along the sphere
        using var many = new Generator(5);
        var pole = zeros(40_000, 3, dtype: float64);
        pole.select(1, 2).fill_(1);
        var spread = new SpherePaths(0.05);
        var around = spread.At(pole, pole, zeros(40_000, dtype: float64), spread.NoiseFor(pole, many)).Point;
        foreach (var axis in new[] { 0, 1 }) around.select(1, axis).std().item<double>().Should().BeApproximately(0.05, 0.001);
    }

    [Fact, LeavesNoTensors]
    public void Flow_matching_learns_a_cap_and_a_rotation_of_the_data_moves_it()
    {
        using var scope = NewDisposeScope();
        // of von Mises and Fisher with concentration 20: its entropy is known
        const double kappa = 20;
        var data = Cap(2000, kappa, 6).to(float32);
        var truth = Math.Log(kappa / (2 * Math.PI)) - Math.Log(1 - Math.Exp(-2 * kappa)) + (kappa / Math.Tanh(kappa)) - 1 - kappa;
        using var model = new FfjordModel(FfjordOptions.Sphere(3) with { Hidden = 32 }, 0);
        using (var trainer = new Trainer(model, Objective.FlowMatching(), new TrainingOptions { Epochs = 15, BatchSize = 100,
            LearningRate = 5e-3, AverageDecay = 0.95 }))
            trainer.Fit(TrainingData.From(data));
        var held = model.Evaluate(Cap(400, kappa, 7).to(float32));
        held.MeanLogProb.Should().BeInRange(truth - 0.2, truth + (4 * held.StandardError));
        model.Sample(200, seed: 1).mean([0L])[2].item<float>().Should().BeApproximately((float)((1 / Math.Tanh(kappa)) - (1 / kappa)),
            0.05f);
        // moved by a quarter turn, the data are where the density was not
        using var turned = new FfjordModel(FfjordOptions.Sphere(3) with { Hidden = 32 }, 0);
        var other = stack([data.select(1, 2), data.select(1, 0), data.select(1, 1)], 1);
        using (var trainer = new Trainer(turned, Objective.FlowMatching(), new TrainingOptions { Epochs = 15, BatchSize = 100,
            LearningRate = 5e-3, AverageDecay = 0.95 }))
            trainer.Fit(TrainingData.From(other));
        turned.Evaluate(other).MeanLogProb.Should().BeApproximately(model.Evaluate(data).MeanLogProb, 0.1);
        turned.Evaluate(data).MeanLogProb.Should().BeLessThan(held.MeanLogProb - 5);
    }

    [Fact]
    public void What_is_not_on_the_sphere_is_refused_by_name()
    {
        using var scope = NewDisposeScope();
        using var model = new FfjordModel(FfjordOptions.Sphere(3) with { Hidden = 4 }, 0);
        var x = Points(6, 3).to(float32);
        x[2].mul_(2.5);
        x[4].zero_();
        foreach (var call in new Action[] { () => model.LogProb(x), () => model.Encode(x), () => model.Decode(x), () => model.Evaluate(x),
            () => new Trainer(model, Objective.FlowMatching()).Fit(TrainingData.From(x)) })
            FluentActions.Invoking(call).Should().Throw<ArgumentException>().WithMessage("*unit vectors*rows 2, 4*2.5*norm*");
        // numbers of four digits are good enough
        model.LogProb(Points(6, 3).mul(1e4).round().div(1e4).to(float32)).isfinite().all().item<bool>().Should().BeTrue();
        FluentActions.Invoking(() => new Flow([3], new Chain(new Permutation([3], [1, 2, 0]), new DiagonalScaling([3])),
            new UniformSphere([3]))).Should().Throw<ArgumentException>().WithMessage("UniformSphere is on a sphere, but DiagonalScaling*");
        using var fine = new Flow([3], new Chain(new Permutation([3], [1, 2, 0]),
            new InvertedLayer(new InvertibleLinearLayer([3], LinearForm.Orthogonal))), new UniformSphere([3]));
        fine.LogProb(Points(2, 3).to(float32)).mean().item<float>().Should().BeApproximately((float)-Math.Log(4 * Math.PI), 1e-5f);
        FluentActions.Invoking(() => new UniformSphere([1])).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => FfjordOptions.Sphere(1).Validate()).Should().Throw<ArgumentException>()
            .WithMessage("*FfjordOptions.Base*");
        FluentActions.Invoking((FfjordOptions.Sphere(3) with { Standardize = true }).Validate).Should().Throw<ArgumentException>();
        FluentActions.Invoking((SplineFlowOptions.Toy2D with { Base = BaseDensityKind.UniformSphere }).Validate).Should()
            .Throw<ArgumentException>().WithMessage("*FfjordOptions.Sphere(3)*");
        // a velocity along spheres and latents that are not on one do not go together
        using var odd = new Flow([3], new ContinuousLayer(new SphericalDynamics(new TimeMlp([3], 4, 1)), [3]));
        using var batch = new TrainingBatch(x.clone());
        FluentActions.Invoking(() => Objective.FlowMatching().Loss(odd, batch, 1)).Should().Throw<ArgumentException>()
            .WithMessage("*UniformSphere*");
    }

    [Fact, LeavesNoTensors]
    public void Interpolation_and_files_stay_on_the_sphere()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        using var model = Random(FfjordOptions.Sphere(3) with { Hidden = 4 });
        var x = Points(4, 3);
        var grid = model.Interpolate(x, 3);
        grid.norm(2).sub(1).abs().max().item<double>().Should().BeLessThan(1e-12);
        grid[0, 0].sub(x[0]).abs().max().item<double>().Should().BeLessThan(1e-6);
        model.Save(folder.At("sphere.safetensors"));
        using var loaded = FlowModel.Load(folder.At("sphere.safetensors"));
        loaded.LogProb(x).equal(model.LogProb(x)).all().item<bool>().Should().BeTrue();
        loaded.Likelihood.Kind.Should().Be(LikelihoodKind.Numerical);
        loaded.BaseDensity.Should().BeOfType<UniformSphere>();
    }

    private static FfjordModel Random(FfjordOptions options, double spread = 0.4)
    {
        var model = new FfjordModel(options, 2);
        RandomWeights.Draw(model, 3, spread);
        model.to(float64);
        model.eval();
        return model;
    }

    private static Tensor Points(long count, long size, ulong seed = 9)
    {
        using var generator = new Generator(seed);
        var x = randn(count, size, dtype: float64, generator: generator);
        return x.div(x.norm(1, keepdim: true));
    }

    // the density κ/(2π(e^κ − e^−κ))·exp(κz) about the third axis, by the inverse of the distribution of z
    private static Tensor Cap(long count, double kappa, ulong seed)
    {
        using var generator = new Generator(seed);
        var (u, angle) = (rand(count, dtype: float64, generator: generator),
            rand(count, dtype: float64, generator: generator).mul(2 * Math.PI));
        var z = u.mul(1 - Math.Exp(-2 * kappa)).add(Math.Exp(-2 * kappa)).log().div(kappa).add(1);
        var radius = z.square().neg().add(1).clamp_min(0).sqrt();
        return stack([radius.mul(angle.cos()), radius.mul(angle.sin()), z], 1);
    }

    // (D − 1, D) at right angles to x (1, D) and to each other
    private static Tensor Frame(Tensor x)
    {
        var (q, _) = linalg.qr(cat([x, eye(x.shape[1], dtype: x.dtype)]).t());
        return q.t().narrow(0, 1, x.shape[1] - 1);
    }

    private static (Tensor Nodes, Tensor Weights) GaussLegendre(int count)
    {
        // the eigenvalues of Jacobi's matrix, and the squares of the first components (Golub and Welsch)
        var k = arange(1, count, dtype: float64);
        var off = k.div(k.square().mul(4).sub(1).sqrt());
        var (nodes, vectors) = linalg.eigh(diag(off, 1).add(diag(off, -1)));
        return (nodes, vectors[0].square().mul(2));
    }

    /// <summary>A network of a user's.</summary>
    private sealed class Through(Dynamics dynamics) : nn.Module<Tensor, Tensor, Tensor>(nameof(Through))
    {
        public override Tensor forward(Tensor t, Tensor x) => dynamics.Velocity(t, x);
    }

    /// <summary>The same velocity, whose derivatives come from autograd.</summary>
    private sealed class Plain(Dynamics dynamics) : Dynamics(nameof(Plain))
    {
        public override Tensor Velocity(Tensor t, Tensor x, Tensor? context = null) => dynamics.Velocity(t, x, context);
    }
}
