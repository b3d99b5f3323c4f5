using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Serialization;

public sealed class DisposedTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string> Presets => PresetTable.Names;

    [Theory, MemberData(nameof(Presets))]
    public void A_disposed_model_says_so_and_leaves_the_file_as_it_is(string name)
    {
        using var scope = NewDisposeScope();
        var path = folder.At("model.safetensors");
        var model = PresetTable.Create(name);
        var x = PresetTable.Examples(model.ModelOptions, 3);
        var context = PresetTable.Context(model.ModelOptions, 3);
        model.Save(path);
        var trainer = new Trainer(model);
        trainer.SaveCheckpoint(folder.At("training.safetensors"));
        var (bytes, training) = (File.ReadAllBytes(path), File.ReadAllBytes(folder.At("training.safetensors")));
        model.Dispose();
        Says(() => model.Save(path));
        Says(() => trainer.SaveCheckpoint(folder.At("training.safetensors")));
        Says(() => new Trainer(model).Dispose());
        Says(() => model.LogProb(x, context));
        Says(() => model.Encode(x, context));
        Says(() => model.Decode(zeros(model.LatentShape.WithBatch(3)), context));
        Says(() => model.Sample(2, context));
        Says(() => model.SampleAndLogProb(2, context));
        Says(() => model.Evaluate(x, context));
        Says(() => model.NegativeLogLikelihood(x, context));
        File.ReadAllBytes(path).Should().Equal(bytes);
        File.ReadAllBytes(folder.At("training.safetensors")).Should().Equal(training);
        trainer.Dispose();
    }

    [Fact]
    public void A_trainer_that_is_disposed_saves_nothing()
    {
        using var model = new RealNvpModel(RealNvpOptions.Toy2D);
        var trainer = new Trainer(model);
        trainer.Dispose();
        Says(() => trainer.SaveCheckpoint(folder.At("training.safetensors")));
        folder.Names.Should().BeEmpty();
    }

    [Fact]
    public void A_flow_one_of_whose_layers_is_disposed_saves_nothing()
    {
        var layer = new DiagonalScaling([2]);
        using var flow = new Flow([2], new Chain([new ActNorm([2]), layer]));
        using var trainer = new Trainer(flow);
        layer.Dispose();
        Says(() => trainer.SaveCheckpoint(folder.At("training.safetensors")));
        folder.Names.Should().BeEmpty();
    }

    private static void Says(Action action) => action.Should().Throw<ObjectDisposedException>();

    private static void Says(Func<object> action) => action.Should().Throw<ObjectDisposedException>();
}
