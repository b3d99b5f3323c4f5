using RealNvp.Checking;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Tests.Checking;

/// <summary>
/// Layers with one mistake each, and the law that must catch it. All are variations of one sound layer, z = x ⊙ exp(s) + t with s and t
/// from one parameter each, so that a law that fails fails because of the mistake.
/// </summary>
internal static class BrokenLayers
{
    public static IReadOnlyDictionary<string, (Func<Bijection> Make, FlowLaw Law)> All { get; } = new Dictionary<string, (Func<Bijection>,
        FlowLaw)>
    {
        ["log-det of the wrong sign in both directions"] = (() => new Elementwise { LogDet = (l, _, _) => l.neg() },
            FlowLaw.NumericalLogDet),
        ["wrong sign, by autograd"] = (() => new Elementwise { LogDet = (l, _, _) => l.neg() }, FlowLaw.AutogradLogDet),
        ["inverse with forward's log-det"] = (() => new Elementwise { LogDet = (l, _, inverse) => inverse ? l.neg() : l },
            FlowLaw.OppositeLogDets),
        ["a missing term of the log-det"] = (() => new Elementwise { LogDet = (l, e, _) => l.sub(e[.., 0]) }, FlowLaw.NumericalLogDet),
        ["a log-det that misses a constant in both directions"] = (() => new Doubled(), FlowLaw.NumericalLogDet),
        ["a log-det summed over the batch"] = (() => new Elementwise { LogDet = (_, e, _) => e.sum([0L], keepdim: false) }, FlowLaw.Shapes),
        ["a log-det of the whole batch for each example"] =
            (() => new Elementwise { LogDet = (l, e, _) => e.sum().expand(e.shape[0]).add(l.mul(0)) }, FlowLaw.NumericalLogDet),
        ["a log-det that is not summed"] = (() => new Elementwise { LogDet = (_, e, _) => e }, FlowLaw.Shapes),
        ["a log-det that is a mean"] = (() => new Elementwise { LogDet = (_, e, _) => e.mean([1L]) }, FlowLaw.NumericalLogDet),
        ["a log-det that is right only at the identity"] =
            (() => new Elementwise { LogDet = (l, _, _) => l.mul(2).sinh().mul(0.5).mul(1.1) }, FlowLaw.NumericalLogDet),
        ["leakage between examples"] = (() => new Elementwise { Before = (x, _) => x.add(x.mean([0L], keepdim: true).mul(0.01)) },
            FlowLaw.BatchIndependence),
        ["evaluation with the statistics of the batch"] = (() => new BatchStatisticsInEvaluation(), FlowLaw.BatchIndependence),
        ["mixing in training that is not declared"] = (() => new UndeclaredMixing(), FlowLaw.TrainingBatchDeclared),
        ["mixing that is declared and does not happen"] = (() => new OverdeclaredMixing(), FlowLaw.TrainingBatchDeclared),
        ["a result that the farthest example of the batch chooses"] = (() => new Elementwise
        {
            Before = (x, _) => x.add(x.abs().max().gt(10).to(x.dtype).mul(1e-3)),
        }, FlowLaw.AnyCompany),
        ["a parameter that is not used"] = (() => new Elementwise(extra: true), FlowLaw.ParameterGradients),
        ["a parameter that is detached"] = (() => new Elementwise { Weight = w => w.detach() }, FlowLaw.ParameterGradients),
        ["a gradient that is cut in the log-det"] = (() => new Elementwise { LogDet = (l, _, _) => l.detach() },
            FlowLaw.ParameterGradients),
        ["an input that is detached"] = (() => new Elementwise { Before = (x, _) => x.detach() }, FlowLaw.InputGradients),
        ["an inverse of something else"] = (() => new Elementwise { Before = (x, inverse) => inverse ? x.mul(1.001) : x },
            FlowLaw.InverseUndoesForward),
        ["an inverse that is wrong for large values only"] = (() => new Elementwise { Before = (x, inverse) => inverse ? x.clamp(-50, 50)
            : x }, FlowLaw.ForwardUndoesInverse),
        ["infinity for large values"] = (() => new Elementwise { LogDet = (l, _, _) => l.mul(1),
            Before = (x, _) => x.add(x.abs().sub(5000).clamp(0).exp().sub(1)) }, FlowLaw.FiniteValues),
        ["NaN at zero"] = (() => new Elementwise { Before = (x, _) => x.mul(x.div(x)) }, FlowLaw.FiniteValues),
        ["a tensor on the default device"] = (() => new Elementwise { Before = (x, _) => x.add(zeros(1, dtype: x.dtype)) },
            FlowLaw.DeviceFollowsInput),
        ["a tensor of the default dtype"] = (() => new Elementwise { Before = (x, _) => x.add(zeros(1, device: x.device)) },
            FlowLaw.DtypeFollowsInput),
        ["a log-det in float32"] = (() => new Elementwise { LogDet = (l, _, _) => l.to(float32) }, FlowLaw.DtypeFollowsInput),
        ["a leaked tensor"] = (() => new Elementwise { Before = (x, _) => { x.add(1).DetachFromDisposeScope(); return x; } },
            FlowLaw.NoTensorLeft),
        ["an input changed in place"] = (() => new Elementwise { Before = (x, _) => { using (no_grad()) x.mul_(1.5); return x; } },
            FlowLaw.InputUntouched),
        ["a view of a tensor that may be strided"] = (() => new Elementwise { Before = (x, _) => x.view(-1).view(x.shape) },
            FlowLaw.StridedInputs),
        ["raw memory read as contiguous"] = (() => new Elementwise { Before = (x, _) => x.as_strided(x.shape, [x.shape[1], 1]) },
            FlowLaw.StridedInputs),
        ["no batch of 1"] = (() => new Elementwise { Before = (x, _) => x.squeeze() }, FlowLaw.BatchSizes),
        ["no batch of 0"] = (() => new Elementwise { LogDet = (l, e, _) => e.reshape(e.shape[0], -1).sum([1L]) }, FlowLaw.BatchSizes),
        ["a context that is not used"] = (() => new ContextIgnored(), FlowLaw.ContextMatters),
        ["a context that is detached"] = (() => new ContextDetached(), FlowLaw.InputGradients),
        ["state in a plain field"] = (() => new HiddenState(), FlowLaw.StateRoundTrip),
        ["state in a random plain tensor"] = (() => new HiddenTensor(), FlowLaw.StateRoundTrip),
        ["statistics updated in evaluation"] = (() => new CountsInEvaluation(), FlowLaw.EvaluationKeepsState),
        ["a mode that is not put back"] = (() => new Elementwise { Call = l => l.eval() }, FlowLaw.ModeKept),
        ["noise from a generator of its own"] = (() => new Noise(seeded: false), FlowLaw.Repeatable),
        ["noise in evaluation that is not declared"] = (() => new Noise(seeded: true), FlowLaw.Repeatable),
        ["a circle that is a number of the line to another feature"] = (() => new CutCircle(wraps: false), FlowLaw.ContinuousOnCircles),
        ["a circle that is wrapped and then a number of the line"] = (() => new CutCircle(wraps: true), FlowLaw.ContinuousOnCircles),
        ["a length that is not kept"] = (() => new Stretched(), FlowLaw.KeepsLength),
        ["a wrong shape that OutputShapeOf hides"] = (() => new WrongShape(), FlowLaw.Shapes),
    };

    /// <summary>The sound layer, with places to break it.</summary>
    internal class Elementwise : Bijection
    {
        private readonly Parameter log_scale, shift;
        private readonly Parameter? extra;

        public Elementwise(bool extra = false, string name = nameof(Elementwise)) : base(name, [4])
        {
            log_scale = new Parameter(zeros(4));
            shift = new Parameter(zeros(4));
            if (extra) this.extra = new Parameter(zeros(4));
            RegisterComponents();
        }

        /// <summary>Changes the log-det: (sum, elements, inverse).</summary>
        public Func<Tensor, Tensor, bool, Tensor> LogDet { get; init; } = (l, _, _) => l;

        public Func<Tensor, bool, Tensor> Before { get; init; } = (x, _) => x;

        public Func<Tensor, Tensor> Weight { get; init; } = w => w;

        public Action<nn.Module> Call { get; init; } = _ => { };

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
        {
            Call(this);
            x = Before(x, false);
            var elements = Weight(log_scale).expand_as(x);
            return (x.mul(elements.exp()).add(shift), LogDet(elements.sum([1L]), elements, false));
        }

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
        {
            Call(this);
            z = Before(z, true);
            var elements = Weight(log_scale).neg().expand_as(z);
            return (z.sub(shift).mul(elements.exp()), LogDet(elements.sum([1L]), elements, true));
        }
    }

    private sealed class Doubled() : Elementwise(name: nameof(Doubled))
    {
        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => base.ForwardCore(x.mul(2), pass);

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
        {
            var (x, logDet) = base.InverseCore(z, pass);
            return (x.div(2), logDet);
        }
    }

    private sealed class BatchStatisticsInEvaluation : Bijection
    {
        private readonly Parameter log_scale = new(zeros(4));

        public BatchStatisticsInEvaluation() : base(nameof(BatchStatisticsInEvaluation), [4]) => RegisterComponents();

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
        {
            var deviation = x.sub(x.mean([0L], keepdim: true)).square().mean([0L], keepdim: true).add(1).sqrt();
            return (x.div(deviation).mul(log_scale.exp()), SumExamples(log_scale.sub(deviation.log()).expand_as(x)));
        }

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) =>
            (z.mul(log_scale.neg().exp()), SumExamples(log_scale.neg().expand_as(z)));
    }

    private sealed class UndeclaredMixing() : Elementwise(name: nameof(UndeclaredMixing))
    {
        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) =>
            base.ForwardCore(training ? x.sub(x.mean([0L], keepdim: true)) : x, pass);
    }

    private sealed class OverdeclaredMixing() : Elementwise(name: nameof(OverdeclaredMixing))
    {
        public override bool MixesBatchInTraining => true;
    }

    private class ContextIgnored : Elementwise
    {
        private readonly Linear linear = nn.Linear(2, 4);

        public ContextIgnored(string name = nameof(ContextIgnored)) : base(name: name) { }

        public override long ContextSize => 2;

        protected virtual Tensor Shift(Tensor context) => linear.forward(context.mul(0));

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) =>
            base.ForwardCore(x.add(Shift(pass.Context!)), default);

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
        {
            var (x, logDet) = base.InverseCore(z, default);
            return (x.sub(Shift(pass.Context!)), logDet);
        }
    }

    private sealed class ContextDetached() : ContextIgnored(nameof(ContextDetached))
    {
        protected override Tensor Shift(Tensor context) =>
            ((nn.Module<Tensor, Tensor>)named_children().Single().module).call(context.detach());
    }

    /// <summary>Remembers the largest input that training saw in a plain number.</summary>
    private sealed class HiddenState() : Elementwise(name: nameof(HiddenState))
    {
        private double largest = 1;

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
        {
            if (training && x.numel() > 0) largest = x.detach().abs().max().to(float64).item<double>() + 1;
            var (z, logDet) = base.ForwardCore(x.div(largest), pass);
            return (z, logDet!.sub(4 * Math.Log(largest)));
        }

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
        {
            var (x, logDet) = base.InverseCore(z, pass);
            return (x.mul(largest), logDet!.add(4 * Math.Log(largest)));
        }
    }

    /// <summary>A permutation that each new layer draws, in a plain array.</summary>
    private sealed class HiddenTensor : Elementwise
    {
        private static int made;
        private readonly long[] order;

        public HiddenTensor() : base(name: nameof(HiddenTensor)) => order = made++ % 2 == 0 ? [1, 2, 3, 0] : [2, 3, 0, 1];

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) =>
            base.ForwardCore(x.index_select(1, tensor(order, device: x.device)), pass);

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
        {
            var (x, logDet) = base.InverseCore(z, pass);
            var back = Enumerable.Range(0, 4).Select(i => (long)Array.IndexOf(order, i)).ToArray();
            return (x.index_select(1, tensor(back, device: z.device)), logDet);
        }
    }

    private sealed class CountsInEvaluation : Elementwise
    {
        private readonly Tensor count = zeros(1);

        public CountsInEvaluation() : base(name: nameof(CountsInEvaluation)) => RegisterComponents();

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
        {
            using (no_grad()) count.add_(1);
            return base.ForwardCore(x, pass);
        }
    }

    private sealed class Noise(bool seeded) : Elementwise(name: nameof(Noise))
    {
        private static readonly Random random = new(3);

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) =>
            base.ForwardCore(seeded ? x.add(rand(x.shape, dtype: x.dtype, device: x.device, generator: pass.Generator))
                : x.add(random.NextDouble()), pass);
    }

    /// <summary>Claims that it keeps lengths.</summary>
    private sealed class Stretched() : Elementwise(name: nameof(Stretched))
    {
        public override bool KeepsLength => true;
    }

    /// <summary>Claims that the first feature is a circle, and moves the second one by it.</summary>
    private sealed class CutCircle(bool wraps) : Elementwise(name: nameof(CutCircle))
    {
        public override IReadOnlyList<Circle> CircularFeatures => [new(0)];

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
        {
            var (rest, logDet) = base.ForwardCore(x, pass);
            return (cat([x[.., 0..1], rest[.., 1..2].add(Angle(x)), rest[.., 2..]], 1), logDet!.sub(First(x.shape[0])));
        }

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
        {
            var (rest, logDet) = base.InverseCore(cat([z[.., 0..1], z[.., 1..2].sub(Angle(z)), z[.., 2..]], 1), pass);
            return (cat([z[.., 0..1], rest[.., 1..]], 1), logDet!.add(First(z.shape[0])));
        }

        private Tensor First(long count) => named_parameters().Single(p => p.name == "log_scale").parameter[0].expand(count);

        private Tensor Angle(Tensor x) => wraps ? x[.., 0..1].add(Math.PI).remainder(2 * Math.PI) : x[.., 0..1];
    }

    private sealed class WrongShape() : Elementwise(name: nameof(WrongShape))
    {
        public override EventShape OutputShapeOf(EventShape input) => [2, 2];
    }
}
