using System.Reflection;
using RealNvp.Checking;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Laws;

/// <summary>The laws that whole models obey.</summary>
public class PresetLaws
{
    public static TheoryData<string> Presets => PresetTable.Names;

    [Fact]
    public void Every_preset_is_in_the_table()
    {
        // an abstract record has the presets of those that derive from it
        var presets = typeof(ModelOptions).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(ModelOptions)))
            .SelectMany(type => type.GetMembers(BindingFlags.Public | BindingFlags.Static | BindingFlags.DeclaredOnly))
            .Select(m => (Type: m switch
            {
                PropertyInfo property => property.PropertyType,
                MethodInfo { IsSpecialName: false, Name: not "FromJson" } method => method.ReturnType,
                _ => null,
            } ?? typeof(void), m.Name)).Where(p => p.Type.IsSubclassOf(typeof(ModelOptions))).ToArray();
        presets.Should().HaveCountGreaterThan(20);
        foreach (var (type, name) in presets)
            PresetTable.All.Should().Contain(k => k.Value.GetType() == type && (k.Key.StartsWith(name, StringComparison.Ordinal)
                || k.Key.Split(", ", StringSplitOptions.None).Contains(name)), "{0}.{1} is a preset", type.Name, name);
    }

    [Theory, InlineData("Toy2D"), InlineData("Tabular"), InlineData("NICE, Tabular"), InlineData("Spline, Tabular"),
        InlineData("Spline, Tabular, two circles among five"), InlineData("MAF, Tabular"), InlineData("MAF, SplineTabular"),
        InlineData("IAF, Tabular"), InlineData("Glow, continuous, context, plain matrices, fixed priors"),
        InlineData("Glow, CelebAHq256x256"), InlineData("Residual, Toy2D"), InlineData("Residual, Tabular, context")]
    public void The_bijection_of_a_small_preset_passes_FlowCheck(string name) => Verify(name);

    [SlowTheory, MemberData(nameof(Presets))]
    public void The_bijection_of_every_preset_passes_FlowCheck(string name) => Verify(name);

    private static void Verify(string name)
    {
        using var scope = NewDisposeScope();
        var options = PresetTable.All[name];
        using var model = PresetTable.Create(name);
        var settings = PresetTable.Check(name) with { RandomizeParameters = false, Context = PresetTable.Context(options, 4),
            Float64Tolerance = 1e-9 };
        if (options.Levels == 0)
        {
            FlowCheck.Verify(model.Bijection, options.Shape, settings).ThrowIfFailed();
            return;
        }
        // without the rounding to integers, behind which there is no inverse to check
        var rest = new Chain([.. ((Chain)model.Bijection).Layers.Where(l => l is not UniformDequantization)]);
        FlowCheck.Verify(rest, options.Shape, settings with { Minimum = 0, Maximum = 1, DrawLatents = false }).ThrowIfFailed();
    }

    [Theory, MemberData(nameof(Presets))]
    public void Decode_undoes_encode(string name)
    {
        using var scope = NewDisposeScope();
        var options = PresetTable.All[name];
        using var model = PresetTable.Create(name);
        using var single = PresetTable.Create(name);
        single.to(float32);
        var x = PresetTable.Examples(options, 2);
        var context = PresetTable.Context(options, 2);
        foreach (var (flow, dtype, tolerance) in new[] { (model, float64, 1e-10), (single, float32, 1e-4) })
        {
            var given = context?.to(dtype);
            var data = x.to(dtype);
            var latent = flow.Encode(data, given, seed: 3);
            var back = flow.Decode(latent, given);
            back.sub(data).abs().max().to(float64).item<double>().Should().BeLessThanOrEqualTo(tolerance);
        }
    }

    [Theory, InlineData("Tabular, context"), InlineData("Image, odd last scale, context, additive")]
    public void Interpolation_keeps_the_context_of_each_corner(string name)
    {
        using var scope = NewDisposeScope();
        var options = PresetTable.All[name];
        using var model = PresetTable.Create(name);
        var (corners, contexts) = (PresetTable.Examples(options, 4), PresetTable.Context(options, 4)!);
        var images = model.Interpolate(corners, 3, context: contexts, seed: 7);
        var expected = model.Decode(model.Encode(corners, contexts, seed: 7), contexts);
        foreach (var (row, column, corner) in new[] { (0, 0, 0), (0, 2, 1), (2, 0, 2), (2, 2, 3) })
            (images[row, column] - expected[corner]).abs().max().item<double>().Should().BeLessThan(1e-9);
        contexts[0].eq(contexts[1]).all().item<bool>().Should().BeFalse("the corners have contexts of their own");
    }

    [Theory, MemberData(nameof(Presets))]
    public void Shapes_are_what_one_would_guess(string name)
    {
        using var scope = NewDisposeScope();
        var options = PresetTable.All[name];
        using var model = PresetTable.Create(name);
        var x = PresetTable.Examples(options, 3);
        var context = PresetTable.Context(options, 3);
        model.LogProb(x, context).shape.Should().Equal(3);
        model.BitsPerDim(x, context).shape.Should().Equal(3);
        var z = model.Encode(x, context);
        z.shape.Should().Equal(model.LatentShape.WithBatch(3));
        model.Decode(z, context).shape.Should().Equal(options.Shape.WithBatch(3));
        long[] front = context is null ? [4] : [3, 4];
        model.Sample(4, context).shape.Should().Equal(options.Shape.WithBatch(front));
        model.SampleAndLogProb(4, context).LogProb.shape.Should().Equal(front);
        model.Sample(0, context).numel().Should().Be(0);
        model.LogProb(x[..0], context?[..0]).shape.Should().Equal(0);
        model.Interpolate(PresetTable.Examples(options, 4), 3, context: context?[..1]).shape.Should().Equal(options.Shape.WithBatch(3, 3));
        var parts = model.SplitLatent(z);
        parts.Sum(p => p.numel()).Should().Be(z.numel());
        model.JoinLatent(parts).equal(z).all().item<bool>().Should().BeTrue();
    }

    [Theory, MemberData(nameof(Presets))]
    public void Log_prob_of_samples_agrees_with_log_prob(string name)
    {
        using var scope = NewDisposeScope();
        var options = PresetTable.All[name];
        if (options.Levels > 0) return;   // a sample is rounded to integers there
        using var model = PresetTable.Create(name);
        var context = PresetTable.Context(options, 2);
        var (x, logProb) = model.SampleAndLogProb(5, context, seed: 1);
        var flat = x.reshape(options.Shape.WithBatch(x.numel() / options.Shape.NumElements));
        model.LogProb(flat, context?.repeat_interleave(5, 0)).sub(logProb.flatten()).abs().max().item<double>().Should().BeLessThan(1e-8);
    }

    [Theory, MemberData(nameof(Presets))]
    public void The_same_seed_gives_the_same_and_the_mode_does_not_matter(string name)
    {
        using var scope = NewDisposeScope();
        var options = PresetTable.All[name];
        using var model = PresetTable.Create(name);
        var x = PresetTable.Examples(options, 3);
        var context = PresetTable.Context(options, 3);
        var before = model.state_dict().ToDictionary(e => e.Key, e => e.Value.clone());
        var logProb = model.LogProb(x, context, seed: 4);
        var samples = model.Sample(3, context, seed: 4);
        model.train();
        model.LogProb(x, context, seed: 4).equal(logProb).all().item<bool>().Should().BeTrue();
        model.Sample(3, context, seed: 4).equal(samples).all().item<bool>().Should().BeTrue();
        model.Encode(x, context, seed: 4).Dispose();
        model.modules().Should().OnlyContain(m => m.training, "the mode is put back");
        foreach (var (key, tensor) in model.state_dict())
            tensor.equal(before[key]).all().item<bool>().Should().BeTrue("{0} did not change", key);
    }

    [Theory, MemberData(nameof(Presets))]
    public void No_public_method_leaves_a_tensor_or_makes_one_on_the_default_device(string name)
    {
        var options = PresetTable.All[name];
        using var outer = NewDisposeScope();
        using var model = PresetTable.Create(name);
        var x = PresetTable.Examples(options, 4);
        var context = PresetTable.Context(options, 4);
        var z = model.Encode(x, context);
        var calls = new (string Name, Action Run)[]
        {
            ("LogProb", () => model.LogProb(x, context, 1).Dispose()),
            ("BitsPerDim", () => model.BitsPerDim(x, context).Dispose()),
            ("Encode", () => model.Encode(x, context, 1).Dispose()),
            ("Decode", () => model.Decode(z, context).Dispose()),
            ("Sample", () => model.Sample(3, context, 0.7, 1).Dispose()),
            ("SampleAndLogProb", () => { var (s, l) = model.SampleAndLogProb(3, context); s.Dispose(); l.Dispose(); }),
            ("Interpolate", () => model.Interpolate(x, 2, context: context?[..1]).Dispose()),
            ("Evaluate", () => model.Evaluate(x, context, 3)),
            ("SplitLatent", () => { foreach (var part in model.SplitLatent(z)) part.Dispose(); }),
            ("NegativeLogLikelihood", () => model.NegativeLogLikelihood(x, context, 1).Dispose()),
            ("a training step",
                () => { model.train(); using var loss = model.NegativeLogLikelihood(x, context, 1); loss.backward(); model.eval(); }),
        };
        foreach (var (method, run) in calls)
        {
            // the slice of the context that a call above makes belongs to the test
            using var inner = NewDisposeScope();
            LiveTensors.ChangeOver(() => { using var own = NewDisposeScope(); run(); }).Should().Be(0, "{0} leaves nothing", method);
            MetaDevice.Run(run);
        }
    }
}
