using System.Text.RegularExpressions;
using RealNvp.Layers;
using RealNvp.Scoring;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Scorers;

/// <summary>The package without libtorch as services use it.</summary>
public sealed class ScorerUseTests
{
    [Theory, InlineData("Tabular, context"), InlineData("IAF, SplineTabular"), InlineData("Spline, Tabular, two circles among five")]
    public void Eight_threads_give_the_bits_of_one(string name)
    {
        using var model = ScorerModels.Create(name);
        var scorer = ScorerModels.Load(model);
        const int rows = 130;
        float[] x = Noise(rows * scorer.Features), context = Noise(rows * scorer.ContextSize);
        var expected = new float[rows];
        scorer.LogProb(x, expected, context);
        var results = Enumerable.Range(0, 8).Select(_ => new float[rows]).ToArray();
        var threads = results.Select(own => new Thread(() =>
        {
            for (var i = 0; i < 5; i++) scorer.LogProb(x, own, context);
        })).ToArray();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
        foreach (var own in results) own.Should().Equal(expected);
    }

    [Theory, MemberData(nameof(ScorerModels.Computed), MemberType = typeof(ScorerModels))]
    public void A_call_allocates_nothing(string name)
    {
        using var model = ScorerModels.Create(name);
        var scorer = ScorerModels.Load(model);
        const int rows = 3;
        float[] x = Noise(rows * scorer.Features), context = Noise(rows * scorer.ContextSize), z = new float[x.Length],
            sums = new float[rows];
        for (var i = 0; i < x.Length; i++) x[i] = 0.5f + (0.1f * x[i]);
        void Calls()
        {
            scorer.LogProb(x, sums, context);
            scorer.Encode(x, z, context, sums);
            scorer.Decode(z, z, context);
            scorer.Sample(z, 1, context);
        }
        Calls();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 3; i++) Calls();
        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
    }

    // normals, Student's t, logistics, a normal and a mixture with weights,
    // a network that rejects, boxes, products; both directions of sequences
    [Theory, LeavesNoTensors, InlineData("Toy2D"), InlineData("Tabular, context"), InlineData("Additive, scaled, halves"),
        InlineData("Logit, mixture"), InlineData("Conditional mixture"), InlineData("Resampled"), InlineData("Spline in a box"),
        InlineData("Spline, circles and normals"), InlineData("IAF, Tabular"), InlineData("MAF, Tabular")]
    public void Samples_are_as_likely_on_average_as_those_of_the_library(string name)
    {
        using var scope = NewDisposeScope();
        using var model = ScorerModels.Create(name);
        var scorer = ScorerModels.Load(model);
        const int rows = 2000;
        var context = scorer.ContextSize == 0 ? null : ones(rows, scorer.ContextSize).mul(Internal.Scalars.Half);
        var given = context?.data<float>().ToArray() ?? [];
        float[] ours = new float[rows * scorer.Features], again = new float[ours.Length], logProb = new float[rows];
        scorer.Sample(ours, 5, given);
        scorer.Sample(again, 5, given);
        again.Should().Equal(ours);
        scorer.Sample(again, 6, given);
        again.Should().NotEqual(ours);
        scorer.LogProb(ours, logProb, given);
        var own = context is null ? model.Sample(rows, seed: 3) : model.Sample(1, seed: 3, context: context).reshape(rows, -1);
        var theirs = model.LogProb(own, context).data<float>().ToArray();
        // a few standard errors; logarithms of densities have no heavy tails
        var spread = Math.Sqrt(Variance(theirs) / rows) + Math.Sqrt(Variance(logProb) / rows);
        logProb.Average().Should().BeApproximately(theirs.Average(), (float)(3.5 * spread) + 1e-4f);
        // and their features have the same means
        for (var feature = 0; feature < scorer.Features; feature++)
        {
            var (a, b) = (Column(ours, feature, scorer.Features), Column(own.data<float>().ToArray(), feature, scorer.Features));
            a.Average().Should().BeApproximately(b.Average(),
                (float)(4.5 * (Math.Sqrt(Variance(a) / rows) + Math.Sqrt(Variance(b) / rows))));
        }
    }

    [Fact]
    public void Wrong_arguments_are_refused_before_any_work_with_what_came_and_what_was_expected()
    {
        using var model = ScorerModels.Create("Tabular, context");
        var scorer = ScorerModels.Load(model);
        float[] x = new float[8], context = new float[6], two = new float[2];
        void Refuses(Action call, string message) => call.Should().Throw<ArgumentException>().WithMessage(message);
        Refuses(() => scorer.LogProb(new float[7], two, context), "*rows of 4 numbers; got 7*");
        Refuses(() => scorer.LogProb(x, new float[3], context), "*one number a row, 2; got 3*");
        Refuses(() => scorer.LogProb(x, two), "*3 numbers for each of 2 row(s); got 0*");
        Refuses(() => scorer.LogProbOfRow(x, context), "*one row, 4; got 8*");
        Refuses(() => scorer.Encode(x, new float[4], context), "*as many numbers as the input, 8; got 4*");
        Refuses(() => scorer.Encode(x, x.AsSpan(), context, new float[1]), "*one number a row, or none, 2; got 1*");
        Refuses(() => scorer.Encode(new float[12].AsSpan(0, 8), new float[8], context.AsSpan(0, 5)), "*3 numbers for each of 2*got 5*");
        var memory = new float[12];
        Refuses(() => scorer.Decode(memory.AsSpan(0, 8), memory.AsSpan(4, 8), context), "*x overlaps z*");
        x[6] = float.NaN;
        Refuses(() => scorer.LogProb(x, two, context), "*value NaN in row 1, column 2*finite*");
        x[6] = 0;
        context[4] = float.PositiveInfinity;
        Refuses(() => scorer.LogProb(x, two, context), "*context has the value*row 1, column 1*");
        using var other = ScorerModels.Create("Toy2D");
        Refuses(() => ScorerModels.Load(other).LogProb(x, new float[4], context), "*has no context*Got 6 numbers*");
    }

    [Fact]
    public void Results_in_memory_that_is_still_read_or_written_are_refused_for_they_would_change_what_later_blocks_read()
    {
        using var model = ScorerModels.Create("Tabular, context");
        var scorer = ScorerModels.Load(model);
        // more rows than a block; 4 features and 3 of a context
        const int n = 100;
        var memory = new float[20 * n];
        Span<float> X() => memory.AsSpan(0, 4 * n);
        Span<float> Context() => memory.AsSpan(4 * n, 3 * n);
        Span<float> Z() => memory.AsSpan(8 * n, 4 * n);
        Span<float> Sums(int at) => memory.AsSpan(at, n);
        var calls = new (Action Call, string Message)[]
        {
            (() => scorer.LogProb(X(), Sums(0), Context()), "logProb overlaps x*"),
            (() => scorer.LogProb(X(), Sums(3 * n), Context()), "logProb overlaps x*"),
            (() => scorer.LogProb(X(), Sums((7 * n) - 1), Context()), "logProb overlaps context*"),
            (() => scorer.Encode(X(), memory.AsSpan(1, 4 * n), Context()), "z overlaps x*"),
            (() => scorer.Encode(X(), memory.AsSpan(5 * n, 4 * n), Context()), "z overlaps context*"),
            (() => scorer.Encode(X(), Z(), Context(), Sums(n)), "logDet overlaps x*"),
            (() => scorer.Encode(X(), Z(), Context(), Sums(9 * n)), "logDet overlaps z*"),
            (() => scorer.Encode(X(), Z(), Context(), Sums(4 * n)), "logDet overlaps context*"),
            (() => scorer.Decode(Z(), X(), Context(), Sums(0)), "logDet overlaps x*"),
            (() => scorer.Decode(X(), X(), Context(), Sums(0)), "logDet overlaps z*"),
            (() => scorer.Sample(memory.AsSpan(6 * n, 4 * n), 1, Context()), "x overlaps context*"),
        };
        foreach (var (call, message) in calls) call.Should().Throw<ArgumentException>().WithMessage(message);
        memory.Should().OnlyContain(v => v == 0, "nothing was computed");
        scorer.Encode(X(), X(), Context(), Sums(8 * n));
        scorer.LogProb(X(), Sums(7 * n), Context());
    }

    [Fact]
    public void No_rows_give_no_results_and_the_memory_of_the_input_may_get_the_output()
    {
        using var model = ScorerModels.Create("Toy2D");
        var scorer = ScorerModels.Load(model);
        scorer.LogProb([], []);
        float[] x = [0.3f, -0.2f, 1, 2], z = new float[4];
        scorer.Encode(x, z);
        scorer.Encode(x, x);
        x.Should().Equal(z);
        scorer.Sample([], 1);
    }

    [Fact]
    public void It_is_one_small_assembly_that_needs_nothing_but_dotNET()
    {
        var assembly = typeof(FlowScorer).Assembly;
        assembly.GetReferencedAssemblies().Select(a => a.Name).Should().OnlyContain(name => name!.StartsWith("System."));
        new FileInfo(assembly.Location).Length.Should().BeLessThan(1 << 20);
    }

    [Fact]
    public void Each_layer_density_transformer_network_and_encoder_of_the_library_is_in_the_table_of_the_guide()
    {
        var page = File.ReadAllText(Repository.At("docs", "scoring-without-libtorch.md"));
        var named = Regex.Matches(page, "^\\|.*$", RegexOptions.Multiline).SelectMany(row => Regex.Matches(row.Value, "`([A-Za-z0-9]+)`"))
            .Select(m => m.Groups[1].Value).ToHashSet();
        Type[] families = [typeof(Bijection), typeof(Density), typeof(ScalarTransformer), typeof(Conditioner), typeof(ContextEncoder)];
        var parts = typeof(Flow).Assembly.GetExportedTypes().Where(t => !t.IsAbstract && families.Any(f => f.IsAssignableFrom(t)))
            .Select(t => t.Name);
        parts.Where(name => !named.Contains(name)).Should().BeEmpty("the table says of each part whether it is computed");
        ScorerModels.Refused.Values.Distinct().Where(name => !named.Contains(name)).Should().BeEmpty();
    }

    private static float[] Noise(int count)
    {
        var random = new Random(3);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() * 2) - 1)];
    }

    private static float[] Column(float[] x, int feature, int features) => [.. x.Where((_, i) => i % features == feature)];

    private static double Variance(float[] values)
    {
        double mean = values.Average();
        return values.Average(v => (v - mean) * (v - mean));
    }
}
