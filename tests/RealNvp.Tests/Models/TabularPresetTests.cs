using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Models;

/// <summary>The presets for tables, which depend on the number of rows where that is known.</summary>
public class TabularPresetTests
{
    private static readonly IReadOnlyDictionary<string, Func<long, long?, ModelOptions>> presets =
        new Dictionary<string, Func<long, long?, ModelOptions>>
    {
        ["RealNvp"] = RealNvpOptions.Tabular,
        ["Nice"] = NiceOptions.Tabular,
        ["Spline"] = SplineFlowOptions.Tabular,
        ["Maf"] = MafOptions.Tabular,
        ["Maf, splines"] = MafOptions.SplineTabular,
        ["Iaf"] = IafOptions.Tabular,
        ["Iaf, splines"] = IafOptions.SplineTabular,
        ["Residual"] = ResidualFlowOptions.Tabular,
        ["Ffjord"] = FfjordOptions.Tabular,
    };

    public static TheoryData<string> Names => [.. presets.Keys];

    // a velocity sees all of x, and flow matching starts from normal latents: no limit and no heavy tails
    public static TheoryData<string> Limited => [.. presets.Keys.Where(k => k != "Ffjord")];

    [Fact]
    public void Every_preset_with_a_number_of_rows_is_in_the_table()
    {
        var methods = typeof(ModelOptions).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(ModelOptions)))
            .SelectMany(t => t.GetMethods().Where(m => m.IsStatic && m.Name.EndsWith("Tabular", StringComparison.Ordinal))).ToArray();
        presets.Values.Select(p => p.Method).Should().BeEquivalentTo(methods);
    }

    [Theory, MemberData(nameof(Names))]
    public void More_rows_never_make_a_smaller_model_and_few_rows_make_a_small_one(string name)
    {
        using var scope = NewDisposeScope();
        long[] rows = [1, 300, 1_000, 5_000, 20_000, 200_000, 10_000_000];
        var sizes = rows.Select(r => Size(presets[name](8, r))).ToArray();
        sizes.Should().BeInAscendingOrder();
        // an affine autoregressive model of 128 units is the best for few rows too: docs/presets.md
        if (name is not ("Maf" or "Iaf")) sizes[0].Should().BeLessThan(sizes[^1], "few rows do not teach a large model");
        Size(presets[name](8, null)).Should().Be(sizes[4], "without a number the preset is for 20,000 rows");
        presets[name](8, null).Should().Be(presets[name](8, 20_000));
        sizes[3].Should().BeLessThan(800_000, "5,000 rows do not teach millions of weights");
    }

    [Theory, MemberData(nameof(Names))]
    public void A_table_without_rows_is_refused(string name)
    {
        foreach (var rows in new long[] { 0, -5 })
            FluentActions.Invoking(() => presets[name](8, rows)).Should().Throw<ArgumentOutOfRangeException>()
                .WithMessage("The number of rows to train on must be at least 1, or null where it is not known.*");
    }

    [Theory, MemberData(nameof(Limited))]
    public void Presets_are_standardized_heavy_tailed_and_limited(string name)
    {
        var options = presets[name](3, 500);
        options.Base.Should().Be(BaseDensityKind.StudentT);
        options.InputLimit.Should().Be(5);
        options.ToJson().Should().Contain("\"Standardize\":true").And.Contain("\"Base\":\"StudentT\"").And.Contain("\"InputLimit\":5");
    }

    // two features that are nearly one, a third that bends with it, and a heavy tail:
    // the worst that a Gaussian says of rows with one odd value is the measure
    [Theory, InlineData("RealNvp"), InlineData("Maf")]
    public void After_training_a_row_with_one_value_5_deviations_out_is_no_disaster(string name)
    {
        using var scope = NewDisposeScope();
        var (train, heldOut) = (Table(400, 1), Table(300, 2));
        var moved = heldOut.clone();
        for (var row = 0; row < 300; row++) moved[row, row % 4].add_(row % 8 < 4 ? 5f : -5f);

        var options = presets[name](4, 400);
        var old = options with { Base = BaseDensityKind.StandardNormal, InputLimit = null };
        var (tame, wild) = (Worst(options, train, moved, out var mean), Worst(old, train, moved, out var before));
        mean.Should().BeGreaterThan(before - 0.4, "rows like the data lose little");
        tame.Should().BeGreaterThan(-300);
        wild.Should().BeLessThan(-2_000, "networks of relus over normal latents say that much");
        double Worst(ModelOptions model, Tensor data, Tensor odd, out double average)
        {
            manual_seed(4);
            using var flow = model.NewModel();
            using var trainer = new Trainer(flow, TrainingOptions.For(model) with { Epochs = 12, BatchSize = 32, ValidationFraction = 0,
                Patience = null, Seed = 1 });
            trainer.Fit(TrainingData.From(data));
            using var _ = no_grad();
            average = flow.LogProb(heldOut).mean().item<float>();
            return flow.LogProb(odd).min().item<float>();
        }
    }

    private static Tensor Table(long rows, ulong seed)
    {
        using var generator = new Generator(seed);
        var noise = randn([rows, 4], generator: generator);
        var first = noise.narrow(1, 0, 1);
        return cat([first, first.add(noise.narrow(1, 1, 1).mul(0.05)), first.mul(first).add(noise.narrow(1, 2, 1).mul(0.3)),
            noise.narrow(1, 3, 1).exp()], 1);
    }

    private static long Size(ModelOptions options)
    {
        using var model = options.NewModel();
        return model.parameters().Sum(p => p.numel());
    }
}
