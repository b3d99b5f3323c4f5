using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.PublicTests;

/// <summary>A model of a user's is a record and a line, and saves, loads, trains and describes itself as the library's do.</summary>
public class OwnModelTests
{
    [Fact]
    public void A_model_and_a_flow_of_ones_own_say_how_they_are_trained()
    {
        using var model = new WaveModel(new WaveOptions { Shape = [3], Layers = 2 });
        TrainingOptions.For(model.Options).Should().Be(TrainingOptions.For([3]) with { LearningRate = 3e-3 });
        TrainingOptions.For(model).Should().Be(TrainingOptions.For(model.Options));
        using (var trainer = new Trainer(model)) trainer.Options.Should().Be(TrainingOptions.For(model));
        using var flow = new PatientFlow();
        using (var trainer = new Trainer(flow)) trainer.Options.Patience.Should().Be(99);
        TrainingOptions.For(GlowOptions.Digits8x8).Should().Be(TrainingOptions.For([1, 8, 8]));
    }

    private sealed class PatientFlow() : Flow([3], new DiagonalScaling([3])), ITrainingDefaults
    {
        public TrainingOptions TrainingDefaults() => new() { Patience = 99 };
    }

    [Fact]
    public void A_model_of_ones_own_saves_loads_and_describes_itself()
    {
        WaveModel.Register(options => new WaveModel(options), WaveJson.Default.WaveOptions);
        WaveModel.Register(options => new WaveModel(options), WaveJson.Default.WaveOptions);
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var x = 1000 + (50 * randn([300, 3], generator: generator));
        using var model = new WaveModel(new WaveOptions { Shape = [3], Layers = 2, Slope = WaveSlope.Steep,
            Base = BaseDensityKind.StudentT }, seed: 4);
        using (var twin = (WaveModel)model.Options.NewModel(seed: 4))
            twin.LogProb(x).equal(model.LogProb(x)).all().item<bool>().Should().BeTrue("the seed reaches every layer");
        using (var trainer = new Trainer(model, new TrainingOptions { Epochs = 2 })) trainer.Fit(TrainingData.From(x));
        model.Info = model.Info with { Columns = ["a", "b", "c"], Note = "made by a test" };

        var path = Path.Combine(Path.GetTempPath(), $"realnvp-public-{Guid.NewGuid():N}.safetensors");
        try
        {
            model.Save(path);
            using FlowModel any = FlowModel.Load(path);
            any.Should().BeOfType<WaveModel>().Which.Options.Should().Be(model.Options);
            any.LogProb(x).equal(model.LogProb(x)).all().item<bool>().Should().BeTrue();
            using WaveModel own = WaveModel.Load(path);
            own.Info.Columns.Should().Equal("a", "b", "c");
            own.Info.TrainingRows.Should().Be(270);
            own.Info.HeldOutRows.Should().Be(30);
            using var third = FlowModel.Load<WaveModel>(path);
            Refused(() => MafModel.Load(path)).Should().Contain("WaveModel").And.Contain("MafModel");
            Refused(() => FlowModel.Load<MafModel>(path)).Should().Contain("WaveModel");

            var said = FlowModel.Describe(path);
            said.Options.Should().Be(model.Options);
            said.ToString().Should()
                .Contain("WaveModel").And.Contain("a, b, c").And.Contain("270 rows").And.Contain("made by a test").And.Contain("Steep");
            model.ToString().Should().StartWith("WaveModel (3,)");

            ModelOptions.FromJson<WaveOptions>(model.Options.ToJson()).Should().Be(model.Options);
            ModelOptions.FromJson<WaveOptions>("""{"Shape":[3]}""").Layers.Should().Be(4, "what lacks is as in a new record");
            Refused(() => ModelOptions.FromJson<WaveOptions>("""{"Shape":[3],"Layers":0}""")).Should()
                .Contain("WaveOptions.Layers must be in 1 ... 100");
            Refused(() => ModelOptions.FromJson<WaveOptions>("""{"Shape":[3],"Waves":1}""")).Should().Contain("Waves");

            // a checkpoint of it goes on
            using (var begun = new Trainer(own, new TrainingOptions { Epochs = 1, CheckpointPath = path, Patience = 9 }))
                begun.Fit(TrainingData.From(x));
            FlowModel.Describe(path).IsCheckpoint.Should().BeTrue();
            using var resumed = Trainer.Resume(path, change: o => o with { Epochs = 2 });
            using var flow = resumed.Flow;
            resumed.Fit(TrainingData.From(x)).History.Should().HaveCount(2);
        }
        finally { File.Delete(path); }
    }

    [Fact]
    public void A_model_that_is_not_registered_is_refused_by_name_with_the_cure()
    {
        using var model = new ShyModel(new ShyOptions { Shape = [2] });
        var path = Path.Combine(Path.GetTempPath(), $"realnvp-public-{Guid.NewGuid():N}.safetensors");
        FluentActions.Invoking(() => model.Save(path)).Should().Throw<InvalidOperationException>().WithMessage("*ShyOptions*Register*");
        File.Exists(path).Should().BeFalse();
        FluentActions.Invoking(() => new ShyOptions { Shape = [2] }.NewModel()).Should().Throw<InvalidOperationException>()
            .WithMessage("*Register*");
        try
        {
            using var known = new MafModel(MafOptions.Toy2D);
            known.Save(path);
            using (var file = SafeTensors.Load(path))
            {
                var metadata = file.Metadata.Where(m => m.Key != "crc32c").ToDictionary(m => m.Key, m => m.Value);
                metadata["kind"] = "ShyModel";
                SafeTensors.Save(path, file.Tensors, metadata);
            }
            Refused(() => FlowModel.Load(path)).Should().Contain("ShyModel").And.Contain("MafModel").And.Contain("Register");
            FlowModel.Describe(path).ToString().Should().Contain("ShyModel, which is not registered here");
        }
        finally { File.Delete(path); }
    }

    [Fact]
    public void Json_by_reflection_will_do_and_names_and_records_belong_to_one_class()
    {
        PlainModel.Register(options => new PlainModel(options));
        using var stream = new MemoryStream();
        using (var model = new PlainModel(new PlainOptions { Shape = [2], Angle = 0.5 })) model.Save(stream);
        stream.Position = 0;
        using var again = FlowModel.Load(stream);
        again.Should().BeOfType<PlainModel>().Which.Options.Angle.Should().Be(0.5);
        FluentActions.Invoking(() => Other.PlainModel.Register(options => new Other.PlainModel(options))).Should()
            .Throw<ArgumentException>().WithMessage("*PlainModel*another name*");
        FluentActions.Invoking(() => TwinModel.Register(options => new TwinModel(options))).Should().Throw<ArgumentException>()
            .WithMessage("*PlainOptions describes PlainModel*");
    }

    private static string Refused(Action action) => Assert.Throws<InvalidDataException>(action).Message;
}

public enum WaveSlope { Flat, Steep }

public sealed record WaveOptions : ModelOptions
{
    public int Layers { get; init; } = 4;

    public WaveSlope Slope { get; init; }

    protected override void CheckRules()
    {
        base.CheckRules();
        RequireVector();
        Range(Layers, 1, 100, nameof(Layers));
    }

    protected override TrainingOptions TrainingDefaults() => base.TrainingDefaults() with { LearningRate = 3e-3 };

    protected override FlowParts Build()
    {
        List<Bijection> layers = [new Standardization(Shape)];
        for (var i = 0; i < Layers; i++)
        {
            var mask = i % 2 == 0 ? Mask.Alternating(Shape[0]) : !Mask.Alternating(Shape[0]);
            layers.Add(new AffineCouplingLayer(Shape, mask, size => new Mlp(size.Inputs, size.Outputs, 8)));
            layers.Add(new InvertibleLinearLayer(Shape));
        }
        return new(new Chain(layers)) { BaseDensity = NewBase() };
    }
}

public sealed class WaveModel(WaveOptions options, long? seed = null) : FlowModel<WaveModel, WaveOptions>(options, seed);

[JsonSerializable(typeof(WaveOptions))]
internal sealed partial class WaveJson : JsonSerializerContext;

public sealed record ShyOptions : ModelOptions
{
    protected override FlowParts Build() => new(new DiagonalScaling(Shape));
}

public sealed class ShyModel(ShyOptions options, long? seed = null) : FlowModel<ShyModel, ShyOptions>(options, seed);

public sealed record PlainOptions : ModelOptions
{
    public double Angle { get; init; }

    protected override FlowParts Build() => new(new DiagonalScaling(Shape));
}

public sealed class PlainModel(PlainOptions options, long? seed = null) : FlowModel<PlainModel, PlainOptions>(options, seed);

public sealed class TwinModel(PlainOptions options, long? seed = null) : FlowModel<TwinModel, PlainOptions>(options, seed);

internal static class Other
{
    internal sealed record OtherOptions : ModelOptions
    {
        protected override FlowParts Build() => new(new DiagonalScaling(Shape));
    }

    internal sealed class PlainModel(OtherOptions options, long? seed = null) : FlowModel<PlainModel, OtherOptions>(options, seed);
}
