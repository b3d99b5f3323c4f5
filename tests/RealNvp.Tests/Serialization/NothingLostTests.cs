using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Serialization;

/// <summary>A checkpoint is checked in all its sections before the first number of a flow is changed.</summary>
public sealed class NothingLostTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private const string Weight = "bijection.layers.0.conditioner.first.weight", Variance = "bijection.layers.1.running_var";

    private static readonly Dictionary<string, (Action<Dictionary<string, Tensor>> Change, bool Model)> damage = new()
    {
        ["a weight lacks"] = (t => t.Remove("model/" + Weight), true),
        ["a weight has another shape"] = (t => t["model/" + Weight] = zeros(3), true),
        ["a variance is negative"] = (t => t["model/" + Variance] = t["model/" + Variance].neg().sub(1), true),
        ["an average lacks"] = (t => t.Remove("average/average." + Weight), true),
        ["an average has another shape"] = (t => t["average/average." + Weight] = zeros(16, 2), true),
        ["an average is of nothing"] = (t => t["average/average.other"] = zeros(3), true),
        ["an averaged variance is negative"] = (t => t["average/average." + Variance] = t["average/average." + Variance].neg().sub(1),
            true),
        ["the averages have no count"] = (t => t.Remove("average/updates"), true),
        ["the count of averages is negative"] = (t => t["average/updates"] = tensor(-1L), false),
        ["a best weight lacks"] = (t => t.Remove("best/" + Weight), true),
        ["a best weight has another shape"] = (t => t["best/" + Weight] = zeros(16, 2), true),
        ["a best variance is negative"] = (t => t["best/" + Variance] = t["best/" + Variance].neg().sub(1), true),
        ["a moment lacks"] = (t => t.Remove("optimizer/exp_avg." + Weight), false),
        ["a moment has another shape"] = (t => t["optimizer/exp_avg_sq." + Weight] = zeros(3), false),
        ["a step count is negative"] = (t => t["optimizer/step"] = tensor(-1L), false),
        ["the random state is too short"] = (t => t["random/default"] = t["random/default"][..100].clone(), false),
    };

    public static TheoryData<string> Damage => [.. damage.Keys];

    [Theory, MemberData(nameof(Damage))]
    public void A_damaged_section_is_refused_and_the_flow_stays_as_it_was(string name)
    {
        using var scope = NewDisposeScope();
        var (change, ofModel) = damage[name];
        // a checkpoint gives a model its best weights, or, without those, its averages
        using var flow = Model(7);
        var before = flow.state_dict().ToDictionary(t => t.Key, t => t.Value.clone());
        var path = Changed(name.Contains("average", StringComparison.Ordinal) ? null : 0.25, change);
        using var random = get_rng_state();
        Refused(() => Trainer.Resume(path, flow));
        Refused(() => Trainer.Resume(new OneWayStream(new MemoryStream(File.ReadAllBytes(path)), reads: true), flow));
        if (ofModel && !name.StartsWith("a weight", StringComparison.Ordinal) && name != "a variance is negative")
            Refused(() => flow.LoadWeights(path));
        foreach (var (key, tensor) in flow.state_dict()) tensor.equal(before[key]).all().item<bool>().Should().BeTrue(key);
        using var after = get_rng_state();
        after.bytes.SequenceEqual(random.bytes).Should().BeTrue();
        LiveTensors.ChangeOver(() => Refused(() => Trainer.Resume(path, flow))).Should().Be(0);
    }

    [Fact]
    public void A_training_that_did_not_average_may_begin_to_when_it_is_resumed()
    {
        using var scope = NewDisposeScope();
        var path = Changed(null, _ => { }, average: null);
        using var trainer = Trainer.Resume(path, change: o => o with { AverageDecay = 0.9, Epochs = 3 });
        using var model = trainer.Flow;
        trainer.Fit(TrainingData.From(Data())).Step.Should().Be(18);
        using var file = SafeTensors.Load(path);
        file.Tensors.Keys.Should().Contain("average/updates");
    }

    [Fact]
    public void Averages_in_float32_come_to_a_flow_in_float64()
    {
        using var scope = NewDisposeScope();
        var path = Changed(null, _ => { });
        using var flow = Model(7);
        flow.to(float64);
        flow.LoadWeights(path);
        using var expected = FlowModel.Load(path);
        expected.to(float64);
        var x = Data().to(float64);
        flow.eval();
        flow.LogProb(x).equal(expected.LogProb(x)).all().item<bool>().Should().BeTrue();
    }

    private static void Refused(Action load) => load.Should().Throw<InvalidDataException>();

    private static RealNvpModel Model(int seed) =>
        new(RealNvpOptions.Toy2D with { Layers = 2, Hidden = 16, FlowBatchNorm = true }, seed);

    private static Tensor Data()
    {
        using var generator = new Generator(5);
        return randn([96, 2], generator: generator);
    }

    private string Changed(double? validation, Action<Dictionary<string, Tensor>> change, double? average = 0.9)
    {
        using var scope = NewDisposeScope();
        using var model = Model(1);
        var good = folder.At("good.safetensors");
        using (var trainer = new Trainer(model, new TrainingOptions { Epochs = 2, BatchSize = 16, ValidationFraction = validation
            ?? 0, AverageDecay = average, CheckpointPath = good }))
            trainer.Fit(TrainingData.From(Data()));
        using var file = SafeTensors.Load(good);
        var tensors = new Dictionary<string, Tensor>(file.Tensors);
        change(tensors);
        var path = folder.At("changed.safetensors");
        SafeTensors.Save(path, tensors, file.Metadata);
        return path;
    }
}
