using RealNvp.Tests.Infrastructure;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training.Exchange;

/// <content>Gradients that are summed while the backward pass goes on.</content>
public partial class ExchangeTests
{
    private const long OneBucket = long.MaxValue;

    // to the last bit, with the kernels and chains of float32
    [Theory, MemberData(nameof(Cases))]
    public void Gradients_that_are_summed_on_the_way_are_those_that_are_summed_after_it(string name) =>
        OnTheWay(name, options with { MaxSteps = 2 });

    [Fact]
    public void Reversible_training_sums_after_the_way() =>
        OnTheWay("images, the first batch", options with { MaxSteps = 2, Reversible = true }, 0);

    private static void OnTheWay(string name, TrainingOptions how, int least = 1)
    {
        var of = Of(name);
        var after = TrainOn(2, of, float32, how, OneBucket);
        var onTheWay = TrainOn(2, of, float32, how);
        foreach (var (trained, expected) in onTheWay.Zip(after))
        {
            trained.Gradients.Zip(expected.Gradients).Should().OnlyContain(g => g.First.SequenceEqual(g.Second));
            foreach (var (key, values) in expected.State) trained.State[key].Should().Equal(values, key);
            (trained.Begun / trained.Gradients.Count).Should().BeGreaterThanOrEqualTo(least);
            expected.Begun.Should().Be(0);
        }
    }

    // what a layer hides: it uses the weight of one that runs later, and has one that nobody uses
    private sealed class Borrower : Bijection
    {
        private readonly Parameter own = new(ones(2)), idle = new(ones(2));
        private readonly Func<Tensor> borrowed;

        public Borrower(Func<Tensor> borrowed) : base(nameof(Borrower), [2])
        {
            this.borrowed = borrowed;
            RegisterComponents();
        }

        public Parameter Own => own;

        public Parameter Idle => idle;

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
        {
            using var scope = NewDisposeScope();
            var scale = own.mul(borrowed());
            return (scope.MoveToOuter(x.mul(scale)), scope.MoveToOuter(scale.abs().log().sum().expand(x.shape[0])));
        }

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => throw new NotSupportedException();
    }

    [Fact]
    public void A_weight_that_an_earlier_layer_uses_unseen_gets_all_of_its_gradient()
    {
        Dictionary<string, double[]?> First(long buckets, int size)
        {
            var all = ThreadExchange.Run(size, exchange =>
            {
                using var scope = NewDisposeScope();
                Borrower? last = null;
                Borrower Plain() => new(() => ones(2));
                var layers = new[] { Plain(), new Borrower(() => last!.Own), Plain(), last = Plain() };
                using var flow = new Flow([2], new Chain(layers));
                using var trainer = new Trainer(flow, options with { MaxSteps = 1, ValidationFraction = 0, AverageDecay = null })
                    { Exchange = exchange, BucketBytes = buckets };
                Dictionary<string, double[]?> first = [];
                trainer.AfterBackward = step => first = step.Parameters.ToDictionary(p => p.Name,
                    p => p.Parameter.grad?.to(float64).data<double>().ToArray());
                trainer.Fit(TrainingData.From(Rows(40, 2).to(float32)).Shard(exchange));
                exchange.Calls.Count(c => c.StartsWith("begin", StringComparison.Ordinal)).Should().Be(buckets == OneBucket || size == 1
                    ? 0 : 3);
                return first;
            });
            foreach (var other in all) other.Should().BeEquivalentTo(all[0]);
            return all[0];
        }
        var (alone, after, onTheWay) = (First(OneBucket, 1), First(OneBucket, 2), First(1, 2));
        onTheWay.Keys.Should().Equal(alone.Keys);
        foreach (var (name, gradient) in alone)
        {
            (gradient is null).Should().Be(name.Contains("idle", StringComparison.Ordinal), name);
            if (gradient is null) onTheWay[name].Should().BeNull(name);
            else
                for (var i = 0; i < 2; i++)
                {
                    onTheWay[name]![i].Should().BeApproximately(gradient[i], 1e-5, name);
                    onTheWay[name]![i].Should().BeApproximately(after[name]![i], 1e-5, name);
                }
        }
    }
}
