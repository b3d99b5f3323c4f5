using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

/// <summary>A weight in whose place another shape was put is an error where it is one in plain operations. A kernel that reads it by the
/// sizes of its layer would read past its end, or take some of its numbers for all.</summary>
[LeavesNoTensors]
public class WeightShapeTests
{
    private static readonly Dictionary<string, ModelOptions> own = new()
    {
        ["FFJORD"] = FfjordOptions.Toy2D with { Hidden = 4, HiddenLayers = 2, Tolerance = 1e-2 },
        ["image"] = new RealNvpImageOptions { Shape = [2, 8, 8], Scales = 2, Hidden = 16, Blocks = 1 },
        ["image without normalization"] = new RealNvpImageOptions { Shape = [2, 8, 8], Scales = 2, Hidden = 32, Blocks = 1,
            NetworkBatchNorm = false },
        ["Glow"] = new GlowOptions { Shape = [2, 8, 8], Scales = 1, Layers = 1, Levels = 0, Hidden = 16 },
    };

    // hundreds of errors, on purpose
    static WeightShapeTests() => NativeErrors.LeaveOutStacks();

    public static TheoryData<string> Models => ["Toy2D", "Tabular, context", "Spline, Tabular", "MAF, Tabular", "IAF, Tabular",
        "IAF, SplineTabular", "Residual, Toy2D", .. own.Keys];

    [Theory, MemberData(nameof(Models))]
    public void Another_shape_is_the_error_that_it_is_in_plain_operations(string name)
    {
        using var scope = NewDisposeScope();
        var options = own.GetValueOrDefault(name) ?? PresetTable.All[name];
        using var model = options.NewModel(seed: 0);
        model.to(float32);
        RandomWeights.Draw(model, seed: 4, spread: 0.1);
        using var generator = new Generator(8);
        var (many, few) = (Rows(16), Rows(3));
        var wrong = 0;
        // layers of one kind have the same weights: those of the first stand for all
        foreach (var (key, parameter) in model.named_parameters().DistinctBy(p => Regex.Replace(p.name, @"(layers|scales)\.\d+", "")))
        {
            if (parameter.dim() == 0) continue;
            using var inside = NewDisposeScope();
            var before = parameter.detach().clone();
            // longer by a row, and turned by a quarter: so a kernel that does not look reads what is there
            Tensor[] others = [cat([before, before.narrow(0, 0, 1)]), .. before.dim() == 2 && before.shape[0] != before.shape[1]
                ? new[] { before.t().contiguous() } : []];
            foreach (var other in others)
            {
                Put(parameter, other);
                foreach (var (what, run) in new (string, Action)[] { ("a training step", Step), ("scores of rows", Score) })
                {
                    bool plain;
                    using (KernelSwitch.AllOff()) plain = Throws(run);
                    if (plain) wrong++;
                    Throws(run).Should().Be(plain, "of {0} for {1} of shape [{2}]", what, key, string.Join(", ", other.shape));
                }
            }
            Put(parameter, before);
        }
        wrong.Should().BePositive();

        Tensor Rows(int count) => options.Shape.Count == 3 ? rand(options.Shape.WithBatch(count), generator: generator).mul(0.8).add(0.1)
            : randn(options.Shape.WithBatch(count), generator: generator);
        Tensor? Context(int count) => PresetTable.Context(options, count)?.to(float32);
        void Step()
        {
            model.train();
            model.NegativeLogLikelihood(many, Context(16), seed: 1);
        }
        void Score() => model.LogProb(few, Context(3), seed: 1);
    }

    [Theory, InlineData("Toy2D"), InlineData("NICE, Tabular"), InlineData("MAF, Tabular"), InlineData("IAF, Tabular")]
    public void A_layer_without_its_bias_is_one_without_a_bias(string name)
    {
        using var scope = NewDisposeScope();
        var options = PresetTable.All[name];
        using var model = options.NewModel(seed: 0);
        model.to(float32);
        RandomWeights.Draw(model, seed: 4, spread: 0.1);
        var linear = model.modules().OfType<TorchSharp.Modules.Linear>().First();
        linear.bias = null;
        foreach (var rows in (int[])[20, 3])
        {
            var (x, context) = (randn(options.Shape.WithBatch(rows)), PresetTable.Context(options, rows)?.to(float32));
            Tensor Scores() => rows > 16 ? model.TrainingLogProb(x, context, seed: 1) : model.LogProb(x, context, seed: 1);
            using var off = KernelSwitch.AllOff();
            var plain = Scores();
            off.Dispose();
            KernelResults.ApartOfLargest(Scores(), plain).Should().BeLessThan(1e-5);
        }
    }

    private static bool Throws(Action run)
    {
        using var scope = NewDisposeScope();
        try
        {
            run();
            return false;
        }
        catch (Exception error) when (error is ExternalException or ArgumentException or InvalidOperationException) { return true; }
    }

    private static void Put(Tensor parameter, Tensor value)
    {
        using var _ = no_grad();
        parameter.set_(value);
    }
}
