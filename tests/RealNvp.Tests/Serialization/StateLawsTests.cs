using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Serialization;

/// <summary>A file with a value that a buffer cannot have, and one with a flipped bit, are refused.</summary>
public sealed class StateLawsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string> Presets => PresetTable.Names;

    // a value that no buffer of this name can have
    private static readonly (string Name, double[] Bad)[] laws =
    [
        ("sign", [7, 0, -2, double.NaN]), ("permutation", [-1, 100, double.MinValue]),
            ("running_var", [-3, double.NaN, double.PositiveInfinity]), ("running_mean", [double.NaN, double.NegativeInfinity]),
        ("num_batches_tracked", [-1]), ("log_std", [double.NaN, 1e4, double.NegativeInfinity]), ("mean", [double.NaN]),
            ("mean_rest", [double.PositiveInfinity]), ("log_degrees", [double.NaN]), ("normalizer", [-1, 2, double.NaN]),
    ];

    [SlowTheory, MemberData(nameof(Presets))]
    public void A_model_with_a_buffer_that_breaks_its_law_is_refused_by_its_name(string preset)
    {
        using var scope = NewDisposeScope();
        using var model = PresetTable.Create(preset);
        var keys = model.state_dict().Keys.ToArray();
        foreach (var (name, bad) in laws)
            if (keys.FirstOrDefault(k => k.EndsWith("." + name, StringComparison.Ordinal)) is { } key)
                foreach (var value in bad)
                    if (Forged(model, key, value) is { } path)
                        FluentActions.Invoking(() => FlowModel.Load(path)).Should().Throw<InvalidDataException>("{0} = {1}", key, value)
                            .WithMessage($"*{name}*");
    }

    [Fact]
    public void An_index_that_occurs_twice_is_refused()
    {
        using var scope = NewDisposeScope();
        using var model = new SplineFlowModel(SplineFlowOptions.Tabular(4) with { Hidden = 8, Linear = true });
        var key = model.state_dict().Keys.First(k => k.EndsWith(".permutation", StringComparison.Ordinal));
        var order = model.state_dict()[key].data<long>().ToArray();
        var path = Forged(model, key, order[0] == order[1] ? order[2] : order[1]);
        FluentActions.Invoking(() => FlowModel.Load(path!)).Should().Throw<InvalidDataException>()
            .WithMessage("*permutation*expected each of 0 to 3 once*");
    }

    [Fact]
    public void A_layer_of_a_users_own_checks_its_buffers_and_a_refused_file_changes_nothing()
    {
        using var scope = NewDisposeScope();
        var path = folder.At("training.safetensors");
        using var flow = new Flow([2], new Chain([new Turning(), new DiagonalScaling([2])]));
        using (var trainer = new Trainer(flow)) trainer.SaveCheckpoint(path);
        using (Trainer.Resume(path, flow)) { }
        var before = flow.state_dict().ToDictionary(t => t.Key, t => t.Value.clone());
        using (var file = SafeTensors.Load(path))
        {
            var tensors = new Dictionary<string, Tensor>(file.Tensors);
            tensors["model/bijection.layers.0.half_turns"] = full([], 3f);
            tensors["model/bijection.layers.1.log_scale"] = full([2], 3f);
            SafeTensors.Save(path, tensors, file.Metadata);
        }
        FluentActions.Invoking(() => Trainer.Resume(path, flow)).Should().Throw<InvalidDataException>()
            .WithMessage("*bijection.layers.0*half_turns is 3; expected 0 or 1*");
        foreach (var (key, tensor) in flow.state_dict())
            tensor.equal(before[key]).all().item<bool>().Should().BeTrue("{0} is as before", key);
    }

    [Theory]
    [InlineData("best/")]
    [InlineData("average/average.")]
    public void The_best_weights_and_averages_of_a_checkpoint_are_checked_too(string section)
    {
        using var scope = NewDisposeScope();
        var path = folder.At("training.safetensors");
        using var model = new RealNvpModel(RealNvpOptions.Toy2D with { Layers = 2, Hidden = 8, FlowBatchNorm = true });
        using (var trainer = new Trainer(model, new TrainingOptions { Epochs = 1, ValidationFraction = 0.5, CheckpointPath = path }))
            trainer.Fit(TrainingData.From(Normal(64)));
        using (var file = SafeTensors.Load(path))
        {
            var tensors = new Dictionary<string, Tensor>(file.Tensors);
            var key = tensors.Keys.First(k => k.StartsWith(section, StringComparison.Ordinal)
                && k.EndsWith("running_var", StringComparison.Ordinal));
            tensors[key] = tensors[key].neg();
            SafeTensors.Save(path, tensors, file.Metadata);
        }
        FluentActions.Invoking(() => Trainer.Resume(path)).Should().Throw<InvalidDataException>().WithMessage("*running_var*");
    }

    [Fact]
    public void Any_bit_that_is_flipped_is_noticed()
    {
        using var scope = NewDisposeScope();
        using var model = new RealNvpModel(RealNvpOptions.Toy2D with { Layers = 2, Hidden = 4 }, seed: 1);
        var path = folder.At("model.safetensors");
        model.Save(path);
        FlowModel.Load(path).Dispose();
        var bytes = File.ReadAllBytes(path);
        var random = new Random(1);
        var name = bytes.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(Checksum.Key));
        name.Should().BePositive();
        var header = 8 + BitConverter.ToInt64(bytes);
        for (var i = 0; i < 134; i++)
        {
            // in the data, in the header, and in the name of the checksum itself
            var at = i < 80 ? (int)header + random.Next(bytes.Length - (int)header) : i < 120 ? random.Next((int)header) : name + i - 120;
            bytes[at] ^= (byte)(1 << (i % 8));
            File.WriteAllBytes(path, bytes);
            FluentActions.Invoking(() => FlowModel.Load(path)).Should().Throw<InvalidDataException>("bit {0} of byte {1} was flipped",
                i % 8, at);
            bytes[at] ^= (byte)(1 << (i % 8));
        }
    }

    [Fact]
    public void The_order_of_tensors_and_metadata_does_not_matter_and_a_file_without_a_checksum_loads()
    {
        Checksum.Add(~0u, "123456789"u8).Should().Be(~0xE3069283u, "the check value of CRC-32C");
        using var scope = NewDisposeScope();
        using var model = new RealNvpModel(RealNvpOptions.Toy2D with { Layers = 2, Hidden = 4 }, seed: 1);
        var path = folder.At("model.safetensors");
        model.Save(path);
        var header = SafeTensors.ReadHeader(path);
        header.Metadata["realnvp.crc32c"].Should().MatchRegex("^[0-9a-f]{8}$");
        using var file = SafeTensors.Load(path);
        SafeTensors.Save(path, file.Tensors.Reverse().ToDictionary(), file.Metadata.Reverse().ToDictionary());
        SafeTensors.ReadHeader(path).Metadata["realnvp.crc32c"].Should().Be(header.Metadata["realnvp.crc32c"]);
        SafeTensors.Save(path, file.Tensors, file.Metadata.Where(m => m.Key != "realnvp.crc32c").ToDictionary());
        SafeTensors.ReadHeader(path).Metadata.Should().NotContainKey("realnvp.crc32c");
        FlowModel.Load(path).Dispose();
    }

    private static Tensor Normal(int rows)
    {
        using var generator = new Generator(5);
        return randn([rows, 2], generator: generator);
    }

    // the state with one element set; null if its dtype cannot hold the value
    private string? Forged(FlowModel model, string key, double value)
    {
        using var scope = NewDisposeScope();
        var path = folder.At("forged.safetensors");
        model.Save(path);
        using var file = SafeTensors.Load(path);
        var tensors = new Dictionary<string, Tensor>(file.Tensors);
        var changed = tensors["model/" + key].clone();
        if (!changed.is_floating_point() && Math.Abs(value) > 1e9) return null;
        changed.view(-1)[0] = tensor(value).to(changed.dtype);
        tensors["model/" + key] = changed;
        SafeTensors.Save(path, tensors, file.Metadata);
        return path;
    }

    private sealed class Turning : Bijection, IStateLaws
    {
        private readonly Tensor half_turns;

        public Turning() : base(nameof(Turning), [2])
        {
            half_turns = zeros([]).DetachFromDisposeScope();
            RegisterComponents();
        }

        public string? FaultIn(IReadOnlyDictionary<string, Tensor> state) =>
            state.TryGetValue(nameof(half_turns), out var given) && given.to(float64).item<double>() is not (0 or 1) and var turns
                ? $"{nameof(half_turns)} is {turns}; expected 0 or 1" : null;

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => (x.mul(half_turns.mul(-2).add(1)), null);

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (z.mul(half_turns.mul(-2).add(1)), null);
    }
}
