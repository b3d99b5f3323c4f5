using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

/// <summary>After a refused step all is as before it: the weights, and what layers of anybody's keep from pass to pass.</summary>
public class BufferSnapshotTests
{
    public static TheoryData<string> Layers => [.. layers.Keys];

    private static readonly Dictionary<string, Func<Bijection>> layers = new()
    {
        ["flow batch norm"] = () => new FlowBatchNorm([2]),
        ["a user's normalization"] = () => new UsersNorm(),
        ["a user's normalization in a user's layer"] = () => new Wrapped(new UsersNorm()),
        ["a network with TorchSharp's batch normalization"] = () => new AffineCouplingLayer([2], Mask.FirstHalf(2), nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))),
        ["act norm"] = () => new ActNorm([2]),
    };

    [Theory, MemberData(nameof(Layers))]
    public void A_refused_step_leaves_the_state_as_it_was_before(string name)
    {
        foreach (var (good, pending) in new[] { (1, false), (0, false), (1, true), (0, true) })
        {
            using var scope = NewDisposeScope();
            manual_seed(1);
            using var flow = new Flow([2], new Chain(layers[name](), new DiagonalScaling([2])));
            using var trainer = new Trainer(flow, new TrainingOptions { Epochs = 1, ValidationFraction = 0 }, pending ? PendingLimits.Default : null);
            Dictionary<string, Tensor>? before = null;
            IEnumerable<Tensor> Loader()
            {
                for (var i = 0; i < good; i++) yield return randn(16, 2);
                if (!pending || good == 0) before = flow.state_dict().ToDictionary(e => e.Key, e => e.Value.detach().clone());
                yield return full([16, 2], 1e30f) * randn(16, 2);
                // a device is asked later
                for (var i = 0; i < 3; i++) yield return randn(16, 2);
            }
            FluentActions.Invoking(() => trainer.Fit(TrainingData.FromBatches(Loader(), 5))).Should().Throw<NonFiniteException>();
            foreach (var (key, value) in flow.state_dict())
            {
                value.isfinite().all().item<bool>().Should().BeTrue("{0} is finite", key);
                value.to(float64).abs().max().item<double>().Should().BeLessThan(1e3, "{0} has seen nothing of 1e30", key);
                if (before is not null) value.equal(before[key]).all().item<bool>().Should().BeTrue("{0} is as before the step", key);
            }
            if (flow.modules().OfType<ActNorm>().FirstOrDefault() is { } norm) norm.IsInitialized.Should().Be(good > 0);
        }
    }

    private sealed class UsersNorm : Bijection
    {
        private readonly Tensor running_mean = zeros(2).DetachFromDisposeScope(), seen = zeros([], int64).DetachFromDisposeScope();

        public UsersNorm() : base(nameof(UsersNorm), EventShape.Create(2)) => RegisterComponents();

        public override bool MixesBatchInTraining => true;

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Tensor? context)
        {
            if (training)
                using (no_grad())
                {
                    running_mean.mul_(0.9).add_(x.detach().mean([0L]).mul(0.1));
                    seen.add_(1L);
                }
            return (x - running_mean, null);
        }

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Tensor? context) => (z + running_mean, null);
    }

    private sealed class Wrapped : Bijection
    {
        private readonly Bijection inner;

        public Wrapped(Bijection inner) : base(nameof(Wrapped), EventShape.Create(2))
        {
            this.inner = inner;
            RegisterComponents();
        }

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Tensor? context) => inner.Forward(x);

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Tensor? context) => inner.Inverse(z);
    }
}
