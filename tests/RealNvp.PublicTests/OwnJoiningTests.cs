using RealNvp.Checking;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.PublicTests;

/// <summary>Two neighbours of a user's run as one.</summary>
public class OwnJoiningTests
{
    [Fact]
    public void Neighbours_that_join_run_once_and_are_watched_one_by_one()
    {
        using var scope = NewDisposeScope();
        var (shift, scale) = (new Shift(3, network: false), new Scale(3, stepsBack: true));
        using var flow = new Flow([3], new Chain(shift, scale, new SinhLayer(3)));
        Draw(flow);
        using var generator = new Generator(3);
        var x = randn([5, 3], generator: generator);
        using var joined = flow.LogProb(x);
        (shift.Runs, scale.Joined).Should().Be((0, 1));
        _ = flow.Summary(x);
        shift.Runs.Should().BePositive("each layer is looked at there");
        // one way gives what the other gives
        var (y, logDet) = scale.Forward(shift.Forward(x).Value);
        using var both = new Chain(shift, scale);
        var (value, sum) = both.Forward(x);
        value.sub(y).abs().max().item<float>().Should().BeLessThan(1e-6f);
        sum.sub(logDet).abs().max().item<float>().Should().BeLessThan(1e-6f);
        flow.Bijection.Inverse(flow.Bijection.Forward(x).Value).Value.sub(x).abs().max().item<float>().Should().BeLessThan(1e-5f);
        scale.Joined.Should().BeGreaterThan(2);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Two_neighbours_are_one_step_among_others(bool inverse)
    {
        using var scope = NewDisposeScope();
        static CouplingLayer Coupling(bool even) => new AffineCouplingLayer([3], even ? Mask.Alternating(3) : !Mask.Alternating(3),
            size => new Mlp(size.Inputs, size.Outputs, 8, 1));
        var (shift, scale) = (new Shift(3, network: false), new Scale(3, stepsBack: true) { IsStep = true });
        using var chain = new Chain(Coupling(true), shift, scale, Coupling(false));
        Draw(chain);
        using var generator = new Generator(3);
        var x = randn([5, 3], generator: generator);
        Tensor[] Results()
        {
            chain.zero_grad();
            var leaf = x.detach().requires_grad_();
            var (value, logDet) = inverse ? chain.Inverse(leaf) : chain.Forward(leaf);
            value.pow(3).sum().add(logDet.square().sum()).backward();
            return [value, logDet, leaf.grad!, .. chain.parameters().Select(p => p.grad!.clone())];
        }
        var together = Results();
        (shift.Runs, scale.Joined, scale.Steps).Should().Be((0, 0, 1), "all four are one operation");
        scale.IsStep = false;
        var apart = Results();
        scale.Joined.Should().Be(1);
        for (var i = 0; i < apart.Length; i++)
            (together[i] - apart[i]).abs().max().item<float>().Should().BeLessThan(1e-5f * (1 + apart[i].abs().max().item<float>()));
    }

    [Fact]
    public void A_chain_of_them_is_proved_like_any_other() =>
        FlowCheck.Verify(() => new Chain(new Shift(3, network: false), new Scale(3, stepsBack: true)), [3]).ThrowIfFailed();

    [Theory, InlineData(false, false), InlineData(true, false), InlineData(false, true), InlineData(true, true)]
    public void Reversible_training_gives_the_gradients_of_ordinary_training(bool stepsBack, bool network)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        var x = randn([7, 3], dtype: float64, generator: generator);
        var (gradients, buffers) = (new List<Tensor[]>(), new List<Tensor[]>());
        foreach (var reversible in new[] { false, true })
        {
            var (shift, scale) = (new Shift(3, network), new Scale(3, stepsBack));
            using var flow = new Flow([3], new Chain(new SinhLayer(3), shift, scale, new SinhLayer(3))) { ReversibleTraining = reversible };
            flow.to(float64);
            Draw(flow);
            flow.train();
            using var loss = flow.NegativeLogLikelihood(x);
            loss.backward();
            (shift.Runs == 0).Should().Be(!reversible || stepsBack, "without a step back for both, each goes back alone");
            scale.Back.Should().Be(reversible && stepsBack ? 1 : 0);
            gradients.Add([.. flow.parameters().Select(p => p.grad!.clone())]);
            buffers.Add([.. flow.buffers().Select(b => b.clone())]);
        }
        for (var i = 0; i < gradients[0].Length; i++)
            (gradients[0][i] - gradients[1][i]).abs().max().item<double>().Should().BeLessThan(1e-10);
        for (var i = 0; i < buffers[0].Length; i++)
            buffers[0][i].equal(buffers[1][i]).all().item<bool>().Should().BeTrue("a pass counts once");
    }

    [Fact]
    public void Two_that_refuse_to_join_leave_no_trace_on_the_tape()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        var x = randn([5, 3], dtype: float64, generator: generator);
        var gradients = new List<Tensor[]>();
        foreach (var reversible in new[] { false, true })
        {
            var (shift, scale) = (new Shift(3, network: true), new Scale(3, stepsBack: true) { Refuses = true });
            using var flow = new Flow([3], new Chain(new SinhLayer(3), shift, scale, new SinhLayer(3))) { ReversibleTraining = reversible };
            flow.to(float64);
            Draw(flow);
            flow.train();
            using var loss = flow.NegativeLogLikelihood(x);
            loss.backward();
            shift.Runs.Should().BePositive();
            gradients.Add([.. flow.parameters().Select(p => p.grad!.clone())]);
        }
        for (var i = 0; i < gradients[0].Length; i++)
            (gradients[0][i] - gradients[1][i]).abs().max().item<double>().Should().BeLessThan(1e-10);
    }

    private static void Draw(nn.Module module)
    {
        using var generator = new Generator(5);
        using var _ = no_grad();
        foreach (var parameter in module.parameters())
            parameter.copy_(randn(parameter.shape, dtype: parameter.dtype, generator: generator) * 0.3);
    }

    /// <summary>z = x + b, or with a b that a network of the user's counts its calls for.</summary>
    private sealed class Shift : Bijection
    {
        private readonly Parameter b;
        private readonly Counting? counting;

        public Shift(long features, bool network) : base(nameof(Shift), [features])
        {
            b = new Parameter(zeros(features));
            counting = network ? new Counting() : null;
            RegisterComponents();
        }

        public int Runs { get; private set; }

        public Parameter B => b;

        public Tensor Value => counting is null ? b : counting.call(b);

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
        {
            Runs++;
            return (x + Value, null);
        }

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
        {
            Runs++;
            return (z - Value, null);
        }
    }

    /// <summary>b · (1 + c/10), where c is the number of the call in training: a state that a pass changes.</summary>
    private sealed class Counting : nn.Module<Tensor, Tensor>
    {
        private readonly Tensor calls;

        public Counting() : base(nameof(Counting))
        {
            calls = zeros(1);
            RegisterComponents();
        }

        public override Tensor forward(Tensor input)
        {
            if (training)
            {
                using var _ = no_grad();
                calls.add_(1);
            }
            return input * (1 + (calls.clone() / 10));
        }
    }

    /// <summary>z = exp(a)·x, with a shift before it in one.</summary>
    private sealed class Scale : Bijection, IJoinsLayer
    {
        private readonly Parameter a;
        private readonly bool stepsBack;

        public Scale(long features, bool stepsBack) : base(nameof(Scale), [features])
        {
            a = new Parameter(zeros(features));
            this.stepsBack = stepsBack;
            RegisterComponents();
        }

        public int Joined { get; private set; }

        public int Back { get; private set; }

        public bool Refuses { get; init; }

        public bool IsStep { get; set; }

        public int Steps { get; private set; }

        public ChainStep? StepJoined(Bijection before, Tensor input, Pass pass, bool inverse)
        {
            if (before is not Shift shift || !IsStep) return null;
            Steps++;
            return new Both(shift.B, a, inverse);
        }

        public (Tensor Value, Tensor? LogDet)? RunJoined(Bijection before, Tensor input, Pass pass, bool inverse)
        {
            if (before is not Shift shift || Refuses) return null;
            Joined++;
            return inverse ? ((input * (-a).exp()) - shift.Value, LogDet(input).neg()) : ((input + shift.Value) * a.exp(), LogDet(input));
        }

        public (Tensor Input, Tensor Gradient)? StepBackJoined(BackwardStep backward, Bijection before, Tensor output, Tensor gradient)
        {
            if (!stepsBack) return null;
            Back++;
            var shift = (Shift)before;
            Tensor input;
            using (backward.Restore()) input = (output * (-a).exp()) - shift.Value;
            using var gradients = enable_grad();
            using var restored = backward.Restore();
            var leaf = input.detach().requires_grad_(true);
            var (value, logDet) = ((leaf + shift.Value) * a.exp(), LogDet(leaf));
            // the weights of both layers have a part in it
            backward.Backward([shift, this], value, gradient, logDet, leaf);
            return (input, leaf.grad!);
        }

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => (x * a.exp(), LogDet(x));

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (z * (-a).exp(), LogDet(z).neg());

        private Tensor LogDet(Tensor x) => a.sum().expand(x.shape[0]);
    }

    /// <summary>z = exp(a)·(x + b) on spans.</summary>
    private sealed class Both(Tensor b, Tensor a, bool inverse) : ChainStep
    {
        public override IReadOnlyList<Tensor> Weights => [b, a];

        public override void Forward(in ChainRows rows)
        {
            var (d, total) = (rows.Features, 0f);
            for (var i = 0; i < rows.Input.Length; i++)
            {
                var (shift, scale) = (rows.Weight(0)[i % d], MathF.Exp(rows.Weight(1)[i % d]));
                rows.Value[i] = inverse ? (rows.Input[i] / scale) - shift : (rows.Input[i] + shift) * scale;
            }
            foreach (var one in rows.Weight(1)) total += inverse ? -one : one;
            foreach (ref var sum in rows.LogDet) sum += total;
        }

        public override void Backward(in ChainGradients rows)
        {
            var d = rows.Features;
            Span<float> ofB = rows.OfWeight(0), ofA = rows.OfWeight(1);
            ofB.Clear();
            ofA.Clear();
            for (var i = 0; i < rows.Input.Length; i++)
            {
                var (j, g) = (i % d, rows.OfValue[i]);
                var (shift, scale) = (rows.Weight(0)[j], MathF.Exp(rows.Weight(1)[j]));
                if (!rows.OfInput.IsEmpty) rows.OfInput[i] = inverse ? g / scale : g * scale;
                if (!ofB.IsEmpty) ofB[j] += inverse ? -g : g * scale;
                var ofLogDet = rows.OfLogDet[i / d];
                if (!ofA.IsEmpty)
                    ofA[j] += inverse ? (-g * rows.Input[i] / scale) - ofLogDet : (g * (rows.Input[i] + shift) * scale) + ofLogDet;
            }
        }

        public override (Tensor Value, Tensor? LogDet) Reference(Tensor input, Tensor? context, IReadOnlyList<Tensor> weights)
        {
            var (shift, log) = (weights[0], weights[1]);
            var sum = log.sum().expand(input.shape[0]);
            return inverse ? ((input * (-log).exp()) - shift, -sum) : ((input + shift) * log.exp(), sum);
        }
    }
}
