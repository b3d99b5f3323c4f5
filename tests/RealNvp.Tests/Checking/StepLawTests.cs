using RealNvp.Checking;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Tests.Checking;

/// <summary>Mistakes in the step of a layer whose other way is right.</summary>
public class StepLawTests
{
    public enum Mistake { None, Value, Unwritten, LogDet, Tape, NegativeTape, Index, NegativeIndex, OfWeight, OfInput, Unwanted }

    public static TheoryData<Mistake> Mistakes => [.. Enum.GetValues<Mistake>()];

    [Theory, MemberData(nameof(Mistakes))]
    public void A_wrong_step_is_found_with_the_layer_alone(Mistake mistake)
    {
        foreach (var shape in new EventShape[] { [3], [2, 1, 2] })
        {
            var report = FlowCheck.Verify(() => new Scaled(shape, mistake), shape);
            report.Failures.Select(f => f.Law).Distinct().Should().Equal(mistake == Mistake.None ? [] : [FlowLaw.StepAgrees]);
            report.Results.Count(r => r.Law == FlowLaw.StepAgrees).Should().BePositive();
        }
    }

    [Theory, InlineData(Mistake.Index), InlineData(Mistake.NegativeIndex)]
    public void A_weight_of_a_neighbour_is_none_of_a_step(Mistake mistake)
    {
        using var scope = NewDisposeScope();
        using var chain = new Chain(new Scaled([3], Mistake.None), new Scaled([3], mistake), new Scaled([3], Mistake.None));
        var forward = () => chain.Forward(zeros(2, 3));
        forward.Should().Throw<ArgumentOutOfRangeException>().WithMessage("*1 weight(s)*Weights*");
    }

    [Fact]
    public void A_tape_of_less_than_nothing_is_an_error_that_says_so()
    {
        using var scope = NewDisposeScope();
        using var chain = new Chain(new Scaled([3], Mistake.None), new Scaled([3], Mistake.NegativeTape));
        var forward = () => chain.Forward(zeros(2, 3));
        forward.Should().Throw<InvalidOperationException>().WithMessage("Step.TapeSize of 2 rows is -2*");
    }

    /// <summary>z = exp(s)·x, with one s in all.</summary>
    private sealed class Scaled : Bijection, IJoinsChain
    {
        private readonly Parameter s;
        private readonly Mistake mistake;

        public Scaled(EventShape shape, Mistake mistake) : base(nameof(Scaled), shape)
        {
            this.mistake = mistake;
            s = new Parameter(zeros(1));
            RegisterComponents();
        }

        public ChainStep? StepFor(Tensor input, Pass pass, bool inverse) => new Step(s, mistake, inverse ? -1 : 1);

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => Map(x, s, 1);

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => Map(z, s, -1);

        private static (Tensor Value, Tensor? LogDet) Map(Tensor x, Tensor s, int sign) =>
            (x * (sign * s).exp(), (sign * s * (x.numel() / Math.Max(1, x.shape[0]))).expand(x.shape[0]));

        private sealed class Step(Tensor s, Mistake mistake, int sign) : ChainStep
        {
            public override IReadOnlyList<Tensor> Weights => [s];

            public override long TapeSize(int rows) => mistake switch { Mistake.NegativeTape => -rows, Mistake.Tape => rows, _ => 0 };

            public override void Forward(in ChainRows rows)
            {
                var index = mistake switch { Mistake.Index => 1, Mistake.NegativeIndex => -1, _ => 0 };
                var log = sign * rows.Weight(index)[0];
                for (var i = 0; i < rows.Input.Length; i++)
                    if (mistake != Mistake.Unwritten || i > 0)
                        rows.Value[i] = (rows.Input[i] * MathF.Exp(log)) + (mistake == Mistake.Value ? 0.1f : 0);
                foreach (ref var sum in rows.LogDet) sum = (mistake == Mistake.LogDet ? 0 : sum) + (log * rows.Features);
            }

            public override void Backward(in ChainGradients rows)
            {
                var factor = MathF.Exp(sign * rows.Weight(0)[0]);
                double sum = mistake == Mistake.Tape ? rows.Tape[0] : 0;
                for (var i = 0; i < rows.Input.Length; i++)
                {
                    sum += rows.OfValue[i] * rows.Input[i] * factor;
                    if (!rows.OfInput.IsEmpty) rows.OfInput[i] = rows.OfValue[i] * factor * (mistake == Mistake.OfInput ? 2 : 1);
                }
                foreach (var one in rows.OfLogDet) sum += (double)one * rows.Features;
                var result = (float)(sign * sum);
                if (mistake == Mistake.OfWeight) rows.OfWeight(0)[0] += result;
                else if (!rows.OfWeight(0).IsEmpty || mistake == Mistake.Unwanted) rows.OfWeight(0)[0] = result;
            }

            public override (Tensor Value, Tensor? LogDet) Reference(Tensor input, Tensor? context, IReadOnlyList<Tensor> weights) =>
                Map(input, weights[0], sign);
        }
    }
}
