using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Serialization;

public sealed class ModelFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string> Presets => PresetTable.Names;

    [Theory, MemberData(nameof(Presets)), LeavesNoTensors]
    public void A_model_comes_back_bit_by_bit_from_its_file_alone(string name)
    {
        foreach (var dtype in new[] { float64, float32 })
        {
            using var scope = NewDisposeScope();
            using var model = PresetTable.Create(name);
            model.to(dtype);
            var path = folder.At("model.safetensors");
            model.Save(path);
            using var loaded = FlowModel.Load(path);
            loaded.Should().BeOfType(model.GetType());
            loaded.ModelOptions.ToJson().Should().Be(model.ModelOptions.ToJson());
            loaded.training.Should().BeFalse();
            loaded.parameters().Should().OnlyContain(p => p.dtype == dtype && p.requires_grad);
            var x = PresetTable.Examples(model.ModelOptions, 3).to(dtype);
            var context = PresetTable.Context(model.ModelOptions, 3)?.to(dtype);
            Same(loaded.LogProb(x, context, seed: 4), model.LogProb(x, context, seed: 4));
            Same(loaded.Sample(2, context, seed: 4), model.Sample(2, context, seed: 4));
            var state = model.state_dict();
            loaded.state_dict().Keys.Should().Equal(state.Keys);
            foreach (var (key, tensor) in loaded.state_dict()) Same(tensor, state[key]);
            folder.Names.Should().Equal("model.safetensors");
        }
    }

    [Theory]
    [InlineData("format", "pt", "*is no RealNvp checkpoint: its metadata lack \"format\": \"RealNvp\"*")]
    [InlineData("format", null, "*is no RealNvp checkpoint*")]
    [InlineData("version", "5", "*format version 5; this library reads the versions 1 to 4. Update the library*")]
    [InlineData("version", "-1", "*format version -1*")]
    [InlineData("version", "one", "*format version one*")]
    [InlineData("version", null, "*format version none*")]
    [InlineData("options", null, "*holds weights without the options*")]
    [InlineData("kind", "Flow",
        "*a model of kind Flow, which is not known here. Known are FfjordModel, GlowModel, IafModel, ImportedModel, MafModel, NiceModel, " +
            "RealNvpModel, ResidualFlowModel, SplineFlowModel*")]
    [InlineData("kind", null, "*a model of kind none*")]
    public void Unknown_formats_and_versions_are_refused(string key, string? value, string message)
    {
        var path = Changed((_, metadata) => { if (value is null) metadata.Remove(key); else metadata[key] = value; });
        Refused(path, message);
    }

    [Theory]
    [InlineData("", "*no valid record of RealNvpOptions*")]
    [InlineData("{", "*no valid record*")]
    [InlineData("null", "*The JSON value is null*")]
    [InlineData("[]", "*no valid record*")]
    [InlineData("{}", "*no valid record*required*")]
    [InlineData("{\"Shape\":[2],\"Colour\":1}", "*'Colour'*")]
    [InlineData("{\"Shape\":[2],\"Coupling\":\"Spline\"}", "*Coupling*")]
    [InlineData("{\"Shape\":[2],\"Coupling\":7}", "*Coupling*")]
    [InlineData("{\"Shape\":\"2\"}", "*A shape is an array of sizes*")]
    [InlineData("{\"Shape\":null}", "*no valid record*")]
    [InlineData("{\"Shape\":[2.5]}", "*A size is a whole number of at least 1*")]
    [InlineData("{\"Shape\":[0]}", "*A size is a whole number of at least 1*")]
    [InlineData("{\"Shape\":[-1]}", "*Shape must be [[]D] or [[]C, H, W] with all sizes known*")]
    [InlineData("{\"Shape\":[]}", "*Shape must be [[]D] or [[]C, H, W]*")]
    [InlineData("{\"Shape\":[1,1,1,1,1,1,1,1,1]}", "*at most 8 sizes*")]
    [InlineData("{\"Shape\":[9223372036854775807,9223372036854775807,9223372036854775807]}",
        "*no valid record*at most 2147483647 elements*")]
    [InlineData("{\"Shape\":[2097152,2,2]}", "*Shape must have at most 4,194,304 elements*")]
    [InlineData("{\"Shape\":[2],\"Hidden\":-3}", "*Hidden must be in 1 ... 65536; got -3*")]
    [InlineData("{\"Shape\":[2],\"Hidden\":1e400}", "*Hidden*")]
    [InlineData("{\"Shape\":[2],\"Momentum\":\"NaN\"}", "*Momentum*")]
    [InlineData("{\"Shape\":[2],\"Layers\":4097}", "*Layers must be in 2 ... 4096; got 4097*")]
    public void Options_that_cannot_be_read_are_refused(string json, string message) =>
        Refused(Changed((_, metadata) => metadata["options"] = Over(metadata["options"], json)),
            message.Replace("[[]", "[", StringComparison.Ordinal));

    // the members of a whole record that the JSON of an object names are replaced
    private static string Over(string options, string json)
    {
        if (!json.StartsWith("{\"", StringComparison.Ordinal)) return json;
        var given = System.Text.Json.Nodes.JsonNode.Parse(json)!.AsObject();
        var isImage = given["Shape"] is System.Text.Json.Nodes.JsonArray { Count: 3 };
        var members = System.Text.Json.Nodes.JsonNode.Parse(isImage ? RealNvpOptions.Digits8x8.ToJson() : options)!.AsObject();
        foreach (var (name, value) in given.ToArray()) members[name] = value?.DeepClone();
        return members.ToJsonString();
    }

    [Fact]
    public void A_model_of_another_kind_is_refused_by_its_name()
    {
        using var model = new MafModel(MafOptions.Toy2D);
        var path = folder.At("maf.safetensors");
        model.Save(path);
        FluentActions.Invoking(() => RealNvpModel.Load(path)).Should().Throw<InvalidDataException>()
            .WithMessage("*holds a MafModel, no RealNvpModel. Load it with MafModel.Load or FlowModel.Load*");
        MafModel.Load(path).Dispose();
    }

    [Fact]
    public void Options_nested_too_deep_are_refused()
    {
        var deep = "{\"Shape\":" + string.Concat(Enumerable.Repeat("{\"a\":", 3000)) + "1" + new string('}', 3001);
        Refused(Changed((_, metadata) => metadata["options"] = deep), "*no valid record*");
    }

    [Fact]
    public void Weights_that_lack_or_do_not_fit_are_named()
    {
        const string first = "model/bijection.layers.0.conditioner.first.weight", scale = "model/bijection.layers.1.transformer.scale";
        Refused(Changed((tensors, _) => tensors.Remove(first)),
            "*1 weight(s) missing (such as bijection.layers.0.conditioner.first.weight), 0 unknown*");
        Refused(Changed((tensors, _) => tensors["model/extra"] = zeros(1)), "*0 weight(s) missing, 1 unknown (such as extra)*");
        Refused(Changed((tensors, _) => { tensors["model/renamed"] = tensors[scale]; tensors.Remove(scale); }),
            "*1 weight(s) missing (such as bijection.layers.1.transformer.scale), 1 unknown (such as renamed)*");
        Refused(Changed((tensors, _) => tensors[first] = tensors[first].reshape(-1)),
            "*weight bijection.layers.0.conditioner.first.weight is Float32 (16,); the model has Float32 (16, 1)*");
        // torch would broadcast these two
        Refused(Changed((tensors, _) => tensors[first] = tensors[first][..1]), "*is Float32 (1, 1); the model has Float32 (16, 1)*");
        Refused(Changed((tensors, _) => tensors[scale] = tensor(1f)), "*is Float32 (); the model has Float32 (1,)*");
        Refused(Changed((tensors, _) => tensors[first] = tensors[first].to(int64)), "*is Int64 (16, 1); the model has Float32 (16, 1)*");
        Refused(Changed((tensors,
            _) => { foreach (var key in tensors.Keys.ToArray()) { tensors["weights/" + key] = tensors[key]; tensors.Remove(key); } }),
            "*weight(s) missing (such as bijection.layers.0.conditioner.first.bias), 0 unknown*");
    }

    [Fact]
    public void A_truncated_or_foreign_file_is_refused()
    {
        var path = folder.At("model.safetensors");
        using (var model = Model()) model.Save(path);
        var bytes = File.ReadAllBytes(path);
        foreach (var length in new[] { 0, 5, 8, 100, bytes.Length / 2, bytes.Length - 1 })
        {
            File.WriteAllBytes(path, bytes[..length]);
            Refused(path, "*");
        }
        File.WriteAllBytes(path, [.. bytes, 0]);
        Refused(path, "*");
        File.WriteAllText(path, "a text, and no model");
        Refused(path, "*");
        using var scope = NewDisposeScope();
        SafeTensors.Save(path, new Dictionary<string, Tensor> { ["transformer.h.0.weight"] = zeros(3) },
            new Dictionary<string, string> { ["format"] = "pt" });
        Refused(path, "*is no RealNvp checkpoint*Read other safetensors files with SafeTensors.Load*");
        var missing = () => RealNvpModel.Load(folder.At("missing"));
        missing.Should().Throw<FileNotFoundException>();
    }

    [Theory, InlineData(0.0, null), InlineData(0.0, 0.9), InlineData(0.25, null), InlineData(0.25, 0.9)]
    public void A_training_checkpoint_loads_as_the_model_that_training_ends_with(double validation, double? average)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(6);
        var x = randn([96, 2], generator: generator).mul(tensor([2f, 0.3f])).add(1);
        using var model = new RealNvpModel(small with { FlowBatchNorm = true, Standardize = true }, seed: 3);
        var path = folder.At("training.safetensors");
        // a rate so high that the last epoch is not the best one
        using var trainer = new Trainer(model, new TrainingOptions { Epochs = 8, BatchSize = 16, LearningRate = 0.03,
            ValidationFraction = validation, AverageDecay = average, CheckpointPath = path });
        var result = trainer.Fit(TrainingData.From(x));
        using (var file = SafeTensors.Load(path))
        {
            file.Tensors.Keys.Any(k => k.StartsWith("best/", StringComparison.Ordinal)).Should().Be(validation > 0);
            file.Tensors.Keys.Any(k => k.StartsWith("average/", StringComparison.Ordinal)).Should().Be(average is not null);
        }
        if (validation > 0) result.BestEpoch.Should().BeLessThan(8, "else this proves less");
        using var loaded = RealNvpModel.Load(path);
        Same(loaded.LogProb(x), model.LogProb(x));
        loaded.Save(folder.At("model.safetensors"));
        using var again = RealNvpModel.Load(folder.At("model.safetensors"));
        Same(again.LogProb(x), model.LogProb(x));
        var resume = () => Trainer.Resume(folder.At("model.safetensors"));
        resume.Should().Throw<InvalidDataException>().WithMessage("*holds a model but no state of a training*");
    }

    [Fact]
    public void A_save_that_fails_leaves_the_old_file()
    {
        using var scope = NewDisposeScope();
        var path = folder.At("model.safetensors");
        using var model = Model();
        var x = zeros(4, 2);
        var expected = model.LogProb(x);
        model.Save(path);
        var bytes = File.ReadAllBytes(path);

        using var other = new RealNvpModel(small with { Layers = 3 }, seed: 9);
        other.to(new Device(DeviceType.META));
        var save = () => other.Save(path);
        save.Should().Throw<ArgumentException>("a meta tensor has no data");
        var full = () => AtomicFile.Write(path, stream =>
        {
            stream.Write(bytes.AsSpan(0, bytes.Length / 2));
            throw new IOException("No space left on device");
        });
        full.Should().Throw<IOException>().WithMessage($"*{path}*stays as it is: No space left on device.");
        File.ReadAllBytes(path).Should().Equal(bytes);
        folder.Names.Should().Equal("model.safetensors");
        using var loaded = RealNvpModel.Load(path);
        Same(loaded.LogProb(x), expected);

        var nowhere = () => model.Save(folder.At("missing/model.safetensors"));
        nowhere.Should().Throw<DirectoryNotFoundException>();
        using var third = new RealNvpModel(small with { Layers = 3 }, seed: 9);
        third.Save(path);
        using var replaced = RealNvpModel.Load(path);
        ((RealNvpVectorOptions)replaced.Options).Layers.Should().Be(3, "a save that does not fail replaces the file");
    }

    private static RealNvpVectorOptions small => RealNvpOptions.Toy2D with { Layers = 2, Hidden = 16 };

    private static RealNvpModel Model()
    {
        var model = new RealNvpModel(small, seed: 1);
        RandomWeights.Draw(model, 2, 0.1);
        model.eval();
        return model;
    }

    private string Changed(Action<Dictionary<string, Tensor>, Dictionary<string, string>> change)
    {
        using var scope = NewDisposeScope();
        var path = folder.At("model.safetensors");
        using (var model = Model()) model.Save(path);
        using var file = SafeTensors.Load(path);
        var (tensors, metadata) = (new Dictionary<string, Tensor>(file.Tensors), new Dictionary<string, string>(file.Metadata));
        change(tensors, metadata);
        var bad = folder.At("changed.safetensors");
        SafeTensors.Save(bad, tensors, metadata);
        return bad;
    }

    private static void Refused(string path, string message)
    {
        var load = () => RealNvpModel.Load(path);
        load.Should().Throw<InvalidDataException>().WithMessage(message);
    }

    [Fact]
    public void A_refused_load_leaves_no_tensor()
    {
        var path = Changed((tensors, _) => tensors.Remove("model/bijection.layers.0.conditioner.first.weight"));
        LiveTensors.ChangeOver(() => Refused(path, "*1 weight(s) missing*")).Should().Be(0);
        path = Changed((_, metadata) => metadata["options"] = (small with { Layers = 9, Hidden = 1024 }).ToJson());
        LiveTensors.ChangeOver(() => Refused(path, "*more weights than the file holds*")).Should()
            .Be(0, "what was built before the model turned out to be too large is gone");
    }

    private static void Same(Tensor actual, Tensor expected)
    {
        actual.dtype.Should().Be(expected.dtype);
        actual.equal(expected).all().item<bool>().Should().BeTrue("every bit is the same");
    }
}
