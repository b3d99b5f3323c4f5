using System.Text.Json.Nodes;
using RealNvp.Tests.Golden;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.PyTorch;

/// <summary>A flow of another library is a model: it is saved, loaded and trained on as ours are, without the file that it came
/// from.</summary>
[LeavesNoTensors]
public sealed class ImportedModelTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string> Names => ImporterTests.Names;

    [Theory, MemberData(nameof(Names))]
    public void A_model_that_was_imported_and_changed_is_saved_and_loaded_to_the_last_bit(string name)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var file = PyTorchFile.Load(PyTorchFileTests.At($"{name}.pt"));
        using var imported = ImporterTests.Case(name)(PyTorchFileTests.At($"{name}.pt"));
        var model = imported.Flow;
        // what a training does: weights are others than in the state dict
        using var generator = new Generator(3);
        foreach (var parameter in model.parameters())
            parameter.add_(randn(parameter.shape, parameter.dtype, generator: generator).mul(0.01));
        model.Info = model.Info with { Columns = [.. Enumerable.Range(0, (int)model.InputShape[0]).Select(i => $"column {i}")] };
        foreach (var dtype in new[] { float64, float32 })
        {
            model.to(dtype);
            using MemoryStream first = new(), second = new();
            model.Save(first);
            first.Position = 0;
            using var loaded = FlowModel.Load(first);
            loaded.Should().BeOfType<ImportedModel>().Which.Options.Should().Be(model.Options);
            loaded.training.Should().BeFalse();
            loaded.Info.Should().Be(model.Info);
            loaded.state_dict().Keys.Should().Equal(model.state_dict().Keys);
            var (x, context) = (file["x"].to(dtype), file.Tensors.GetValueOrDefault("context")?.to(dtype));
            Same(loaded.LogProb(x, context), model.LogProb(x, context));
            Same(loaded.Decode(x, context), model.Decode(x, context));
            loaded.Save(second);
            second.ToArray().AsSpan().SequenceEqual(first.ToArray()).Should().BeTrue("the same model is the same file");
        }
    }

    [Fact]
    public void A_continuous_flow_has_all_digits_whatever_dtype_it_was_saved_in()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("zuko_cnf_solver_3d");
        var weights = GoldenImporterTests.Weights(golden);
        using var imported = new ZukoImporter().FromStateDict(weights);
        imported.Flow.Save(folder.At("flow.safetensors"));
        using var loaded = ImportedModel.Load(folder.At("flow.safetensors"));
        var (t, x) = (tensor(new[] { 0.1, 0.5, 0.9 }), randn(3, 3, dtype: float64));
        Tensor Velocity(Flow flow) => ((Chain)flow.Bijection).Layers.OfType<ContinuousLayer>().Single().Dynamics.Velocity(t, x);
        Same(Velocity(loaded), Velocity(imported.Flow));
        // frequencies are no weights: those of float32 would not be those of float64
        imported.Flow.to(float32).to(float64);
        loaded.to(float32).to(float64);
        Same(Velocity(loaded), Velocity(imported.Flow));
    }

    [Fact]
    public void It_trains_on_with_checkpoints_that_load_and_resume()
    {
        using var scope = NewDisposeScope();
        using var imported = new NflowsImporter { TailBound = 3 }.Load(PyTorchFileTests.At("nflows_sbi_nsf.pt"));
        var model = imported.Flow;
        model.to(float32);
        var data = TrainingData.From(randn(64, model.InputShape[0]), context: randn(64, model.ContextSize));
        var options = new TrainingOptions { Epochs = 1, BatchSize = 32, CheckpointPath = folder.At("checkpoint.safetensors") };
        using (var trainer = new Trainer(model, options)) trainer.Fit(data);
        using var resumed = Trainer.Resume(folder.At("checkpoint.safetensors"), change: o => o with { Epochs = 2 });
        resumed.Fit(data);
        using var loaded = FlowModel.Load<ImportedModel>(folder.At("checkpoint.safetensors"));
        loaded.Options.Importer.Should().Be(new NflowsImporter { TailBound = 3 });
        resumed.Flow.Dispose();
    }

    [Fact]
    public void What_the_importer_was_told_of_the_file_is_no_part_of_the_description()
    {
        using var scope = NewDisposeScope();
        using var file = PyTorchFile.Load(PyTorchFileTests.At("zuko_maf.pt"));
        var weights = file.Tensors.Where(t => t.Key.StartsWith("model.", StringComparison.Ordinal)).ToDictionary(t => t.Key, t => t.Value);
        weights["model.extra"] = zeros(2);
        weights["other.transform"] = zeros(2);
        using var imported = new ZukoImporter { Prefix = "model.", Strict = false, StateDict = "a", Bound = 4 }.FromStateDict(weights);
        imported.Flow.Options.Importer.Should().Be(new ZukoImporter { Bound = 4 });
        imported.Flow.Options.Tensors.Should().NotContain(t => t.Contains("extra", StringComparison.Ordinal)
            || t.Contains("model.", StringComparison.Ordinal));
        imported.Flow.ModelOptions.ToJson().Should().Contain("\"library\":\"zuko\"").And.NotContain("Strict").And.NotContain("Prefix");
    }

    // a shape without its memory, a mask without its numbers, a name twice, a bomb
    [Theory]
    [InlineData("1048576x1048576 * transform.transforms.0.hyper.0.weight", "*more weights than the file holds*")]
    [InlineData("9999999x9999999x9999999x9999999 * transform.transforms.0.hyper.0.weight", "*more weights than the file holds*")]
    [InlineData("2x2 n:1,2,3 transform.transforms.0.order", "*tensor that is none*")]
    [InlineData("4 n:1,2,NaN,0 transform.transforms.0.order", "*tensor that is none*")]
    [InlineData("4 b:AAAA transform.transforms.0.order", "*tensor that is none*")]
    [InlineData("99999999 b:AAAA transform.transforms.0.order", "*tensor that is none*")]
    [InlineData("-4 * transform.transforms.0.order", "*tensor that is none*")]
    [InlineData("4 n:3,2,1,0 transform.transforms.0.order", "*does not agree with the masks*")]
    [InlineData("words", "*tensor that is none*")]
    public void A_forged_description_is_refused_and_takes_no_memory(string line, string message)
    {
        using var imported = new ZukoImporter().Load(PyTorchFileTests.At("zuko_maf.pt"));
        using MemoryStream good = new(), forged = new();
        imported.Flow.Save(good);
        good.Position = 0;
        using var file = SafeTensors.Load(good);
        var metadata = file.Metadata.ToDictionary(m => m.Key, m => m.Value);
        var options = JsonNode.Parse(metadata["options"])!.AsObject();
        var lines = options["Tensors"]!.AsArray();
        var name = line.Split(' ')[^1];
        for (var i = 0; i < lines.Count; i++)
            if (lines[i]!.GetValue<string>().EndsWith(" " + name, StringComparison.Ordinal)) lines.RemoveAt(i--);
        lines.Add(line);
        metadata["options"] = options.ToJsonString();
        SafeTensors.Save(forged, file.Tensors, metadata);
        forged.Position = 0;
        var before = GC.GetAllocatedBytesForCurrentThread();
        var load = () => FlowModel.Load(forged);
        load.Should().Throw<InvalidDataException>().WithMessage(message);
        (GC.GetAllocatedBytesForCurrentThread() - before).Should().BeLessThan(20_000_000);
    }

    private static void Same(Tensor actual, Tensor expected) => actual.eq(expected).all().ToBoolean().Should().BeTrue();
}
