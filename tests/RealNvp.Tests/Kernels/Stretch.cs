using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

/// <summary>A layer as users write them that joins chains: z = x ⊙ exp(s), by what the library has in public alone.</summary>
internal sealed class Stretch : Bijection, IJoinsChain
{
    private readonly Parameter s;

    public Stretch(int features) : base(nameof(Stretch), [features])
    {
        s = new Parameter(zeros(features));
        RegisterComponents();
    }

    /// <summary>How often it ran forward as a step, and alone.</summary>
    public int Steps { get; private set; }

    public int Alone { get; private set; }

    /// <summary>What it writes down for each row, in numbers, and never reads.</summary>
    public long TapeOfRow { get; init; }

    public ChainStep? StepFor(Tensor input, Pass pass, bool inverse)
    {
        Steps++;
        return new Step(s, inverse, TapeOfRow);
    }

    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
    {
        Alone++;
        return Map(x, s, false);
    }

    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => Map(z, s, true);

    private static (Tensor Value, Tensor? LogDet) Map(Tensor x, Tensor s, bool inverse)
    {
        var log = inverse ? s.neg() : s;
        return (x.mul(log.exp()), log.sum().expand(x.shape[0]));
    }

    private sealed class Step(Tensor s, bool inverse, long tapeOfRow) : ChainStep
    {
        public override long TapeSize(int rows) => rows * tapeOfRow;

        public override IReadOnlyList<Tensor> Weights => [s];

        public override void Forward(in ChainRows rows)
        {
            var log = rows.Weight(0);
            var total = 0f;
            foreach (var one in log) total += inverse ? -one : one;
            for (var i = 0; i < rows.Input.Length; i++) rows.Value[i] = rows.Input[i] * Scale(log[i % rows.Features]);
            foreach (ref var sum in rows.LogDet) sum += total;
        }

        public override void Backward(in ChainGradients rows)
        {
            var log = rows.Weight(0);
            var sign = inverse ? -1 : 1;
            for (var j = 0; j < rows.Features; j++)
            {
                var sum = 0.0;
                for (var n = 0; n < rows.Count; n++)
                {
                    var at = (n * rows.Features) + j;
                    sum += ((double)rows.OfValue[at] * rows.Input[at] * Scale(log[j])) + rows.OfLogDet[n];
                    if (!rows.OfInput.IsEmpty) rows.OfInput[at] = rows.OfValue[at] * Scale(log[j]);
                }
                if (!rows.OfWeight(0).IsEmpty) rows.OfWeight(0)[j] = (float)(sign * sum);
            }
        }

        public override (Tensor Value, Tensor? LogDet) Reference(Tensor input, Tensor? context, IReadOnlyList<Tensor> weights) =>
            Map(input, weights[0], inverse);

        private float Scale(float log) => MathF.Exp(inverse ? -log : log);
    }
}
