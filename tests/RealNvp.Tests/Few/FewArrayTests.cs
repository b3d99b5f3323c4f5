using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Few;

/// <summary>Few rows in arrays and spans: the results of tensors.</summary>
public class FewArrayTests
{
    public static TheoryData<string> Presets => ["Tabular, quantiles, tails", "Tabular, context", "Spline, Tabular",
        "Spline, Tabular, two circles among five", "MAF, Tabular", "IAF, Tabular", "NICE, Tabular"];

    [Theory]
    [MemberData(nameof(Presets))]
    public void Arrays_and_spans_have_the_results_of_tensors(string preset)
    {
        using var scope = NewDisposeScope();
        using var model = PresetTable.Create(preset);
        model.to(float32);
        var (x, context) = (PresetTable.Examples(model.ModelOptions, 5), PresetTable.Context(model.ModelOptions, 5));
        var (rows, given) = (x.data<double>().ToArray(), context?.data<double>().ToArray());
        var (floats, floatContext) = (Array.ConvertAll(rows, v => (float)v), given is null ? null : Array.ConvertAll(given, v => (float)v));
        foreach (var plan in (bool[])[true, false])
            FewRows.With(plan, () =>
            {
                double[] logProb = new double[5], z = new double[rows.Length], back = new double[rows.Length];
                float[] singleLogProb = new float[5], singleZ = new float[rows.Length], singleBack = new float[rows.Length];
                model.LogProbInto(rows, logProb, given).Should().Be(5);
                model.EncodeInto(rows, z, given).Should().Be(5);
                model.DecodeInto(rows, back, given).Should().Be(5);
                model.LogProbInto(floats, singleLogProb, floatContext).Should().Be(5);
                model.EncodeInto(floats, singleZ, floatContext).Should().Be(5);
                model.DecodeInto(floats, singleBack, floatContext).Should().Be(5);
                Same(logProb, FewRows.With(true, () => model.LogProb(x, context)), plan);
                Same(z, FewRows.With(true, () => model.Encode(x, context)), plan);
                Same(back, FewRows.With(true, () => model.Decode(x, context, float64)), plan);
                Same(Array.ConvertAll(singleLogProb, v => (double)v), FewRows.With(true, () => model.LogProb(x.to(float32),
                    context?.to(float32))), plan);
                Same(Array.ConvertAll(singleZ, v => (double)v), FewRows.With(true, () => model.Encode(x.to(float32), context?.to(float32))),
                    plan);
                Same(Array.ConvertAll(singleBack, v => (double)v), FewRows.With(true, () => model.Decode(x.to(float32),
                    context?.to(float32))), plan);
                Same(model.LogProb((DataRows)rows, given), FewRows.With(true, () => model.LogProb(x, context)), plan);
                Same([.. model.Encode((DataRows)rows, given).Cast<double>()], FewRows.With(true, () => model.Encode(x, context)), plan);
                Same([.. model.Decode((DataRows)rows, given).Cast<double>()], FewRows.With(true, () => model.Decode(x, context, float64)),
                    plan);
                return 0;
            });
    }

    // the plan of arrays is that of tensors, to the bit
    private static void Same(double[] values, Tensor expected, bool plan)
    {
        using var scope = NewDisposeScope();
        var all = expected.to(float64).flatten().data<double>().ToArray();
        if (plan) values.Should().Equal(all);
        else
            for (var i = 0; i < all.Length; i++) values[i].Should().BeApproximately(all[i], 1e-4 * (1 + Math.Abs(all[i])));
    }

    [Fact]
    public void A_call_that_is_wrong_is_told_so_as_for_many_rows_and_the_destination_stays()
    {
        using var model = new RealNvpModel(RealNvpOptions.Toy2D, seed: 1);
        var to = new[] { 7.0, 7 };
        FluentActions.Invoking(() => model.LogProbInto(new[] { 1, float.NaN, 1, 1 }, to)).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => model.LogProbInto(new float[3], to)).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => model.LogProbInto(new float[6], to)).Should().Throw<ArgumentException>().WithMessage("*room for 2*");
        FluentActions.Invoking(() => model.LogProbInto(new float[4], to, new float[2])).Should().Throw<ArgumentException>();
        using (no_grad())
            foreach (var p in model.parameters()) p.fill_(float.NaN);
        FluentActions.Invoking(() => model.LogProbInto(new float[4], to)).Should().Throw<NonFiniteException>();
        to.Should().Equal(7, 7);
    }
}
