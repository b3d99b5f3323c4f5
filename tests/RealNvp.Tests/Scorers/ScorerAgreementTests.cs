using RealNvp.Scoring;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Scorers;

/// <summary>The package without libtorch against the library: |Δ| ≤ 1e-5·(1 + |value|), or at most twice as far from the library's
/// float64 as its own float32 is.</summary>
public sealed class ScorerAgreementTests
{
    // one row, rows of a block, and more than a block
    private const int Rows = 100;

    [Theory, LeavesNoTensors, MemberData(nameof(ScorerModels.Computed), MemberType = typeof(ScorerModels))]
    public void Every_model_gives_what_the_library_gives(string name)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var options = ScorerModels.Options(name);
        using var model = ScorerModels.Create(name);
        var scorer = ScorerModels.Load(model);
        (scorer.Features, scorer.ContextSize).Should().Be(((int)options.Shape[0], (int)options.ContextSize));
        var x = ScorerModels.Rows(options, Rows).to(float32);
        var context = PresetTable.Context(options, Rows)?.to(float32);
        var own = new Results(model, x, context);
        model.to(float64);
        var wide = new Results(model, x.to(float64), context?.to(float64));

        var rows = x.data<float>().ToArray();
        var given = context?.data<float>().ToArray() ?? [];
        float[] logProb = new float[Rows], z = new float[rows.Length], logDet = new float[Rows], back = new float[rows.Length];
        scorer.LogProb(rows, logProb, given);
        Check("log p", logProb, own.LogProb, wide.LogProb);
        scorer.Encode(rows, z, given, logDet);
        Check("z", z, own.Latents, wide.Latents);
        // the same latents for all
        scorer.Decode(own.Latents.data<float>().ToArray(), back, given, logDet);
        Check("x", back, own.Back, wide.Decode(own.Latents));
    }

    [Theory, LeavesNoTensors, MemberData(nameof(ScorerModels.Computed), MemberType = typeof(ScorerModels))]
    public void A_row_has_the_same_bits_alone_and_among_others_in_each_direction(string name)
    {
        using var scope = NewDisposeScope();
        using var model = ScorerModels.Create(name);
        var scorer = ScorerModels.Load(model);
        var (d, c) = (scorer.Features, scorer.ContextSize);
        var rows = ScorerModels.Rows(ScorerModels.Options(name), Rows).to(float32).data<float>().ToArray();
        var given = PresetTable.Context(ScorerModels.Options(name), Rows)?.to(float32).data<float>().ToArray() ?? [];
        float[] logProb = new float[Rows], z = new float[rows.Length], back = new float[rows.Length], one = new float[d], x = new float[d];
        scorer.LogProb(rows, logProb, given);
        scorer.Encode(rows, z, given);
        scorer.Decode(z, back, given);
        foreach (var row in new[] { 0, 5, 95, 99 })
        {
            var context = given.AsSpan(row * c, c);
            scorer.LogProbOfRow(rows.AsSpan(row * d, d), context).Should().Be(logProb[row]);
            scorer.Encode(rows.AsSpan(row * d, d), one, context);
            one.Should().Equal(z.AsSpan(row * d, d).ToArray());
            scorer.Decode(one, x, context);
            x.Should().Equal(back.AsSpan(row * d, d).ToArray());
        }
    }

    internal static void Check(string what, float[] values, Tensor own, Tensor wide)
    {
        var (expected, exact) = (own.flatten().to(float64).data<double>().ToArray(), wide.flatten().data<double>().ToArray());
        for (var i = 0; i < values.Length; i++)
        {
            var allowed = Math.Max(1e-5 * (1 + Math.Abs(exact[i])), 2 * Math.Abs(expected[i] - exact[i]));
            if (!(Math.Abs(values[i] - exact[i]) <= allowed) && !(double.IsInfinity(exact[i]) && values[i] == exact[i]))
                Assert.Fail($"{what} {i}: {values[i]:G9}; float64 {exact[i]:G9}, float32 {expected[i]:G9}");
        }
    }

    private sealed class Results(FlowModel model, Tensor x, Tensor? context)
    {
        public Tensor LogProb { get; } = model.LogProb(x, context);

        public Tensor Latents { get; } = model.Encode(x, context);

        public Tensor Back { get; } = model.Decode(model.Encode(x, context), context);

        public Tensor Decode(Tensor z) => model.Decode(z.to(x.dtype), context);
    }
}
