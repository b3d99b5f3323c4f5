using System.Globalization;
using System.Text.Json.Nodes;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Serialization;

/// <summary>The files in Files/ were written by the library when its files had format version 1. They are never written again.</summary>
public sealed class OldFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string> Models => ["nice", "realnvp", "realnvp-image", "glow", "spline", "maf", "maf-mixture", "iaf"];

    [Theory, MemberData(nameof(Models)), LeavesNoTensors]
    public void A_model_of_version_1_gives_the_density_that_it_gave(string name)
    {
        using var scope = NewDisposeScope();
        using var expected = SafeTensors.Load(At("expected"));
        using var model = FlowModel.Load(At(name));
        var logProb = model.LogProb(expected[name + "/x"], expected.Tensors.GetValueOrDefault(name + "/context"));
        Near(logProb, expected[name + "/log_prob"], 1e-9);
        model.Save(folder.At("again.safetensors"));
        SafeTensors.ReadHeader(folder.At("again.safetensors")).Metadata["version"].Should().Be("4");
        using var again = FlowModel.Load(folder.At("again.safetensors"));
        again.ModelOptions.Should().Be(model.ModelOptions);
    }

    [Theory, LeavesNoTensors]
    [InlineData("spline-wide", 150)]
    [InlineData("maf-narrow", 0.005)]
    public void A_model_of_version_1_that_breaks_a_newer_rule_loads_and_says_so(string name, double bound)
    {
        using var scope = NewDisposeScope();
        using var expected = SafeTensors.Load(At("expected-ranges"));
        using var model = FlowModel.Load(At(name));
        var x = expected[name + "/x"];
        Near(model.LogProb(x), expected[name + "/log_prob"], 1e-5);
        model.Warnings.Should().ContainSingle().Which.Should()
            .Contain("Bound must be in 0.01 ... 100").And.Contain(bound.ToString(CultureInfo.InvariantCulture));
        model.Evaluate(x).Warnings.Should().Equal(model.Warnings);
        // it is no model of version 1 any more, and goes on
        model.Save(folder.At("again"));
        using (var again = FlowModel.Load(folder.At("again"))) again.ModelOptions.Should().Be(model.ModelOptions);
        using (var trainer = new Trainer(model, new TrainingOptions { Epochs = 1, CheckpointPath = folder.At("checkpoint") }))
            trainer.Fit(TrainingData.From(x)).Warnings.Should().Contain(model.Warnings);
        using (var resumed = Trainer.Resume(folder.At("checkpoint")))
        using (var flow = resumed.Flow)
            ((FlowModel)flow).Warnings.Should().Equal(model.Warnings);

        // but no new model is made like that
        Action[] anew = [() => model.ModelOptions.Validate(), () => model.ModelOptions.NewModel(),
            () => (model.ModelOptions with { Levels = 0 }).NewModel()];
        foreach (var build in anew) build.Should().Throw<ArgumentException>().WithMessage("*Bound must be in*");
        using var other = new SplineFlowModel(SplineFlowOptions.Toy2D);
        other.Warnings.Should().BeEmpty();
    }

    [Theory, LeavesNoTensors]
    [InlineData("spline", "Bound", "1e3")]
    [InlineData("iaf", "Bound", "1e-3")]
    [InlineData("realnvp", "Momentum", "0.99999")]
    [InlineData("realnvp-image", "LogitAlpha", "0.495")]
    public void Each_range_that_is_newer_than_version_1_lets_its_files_load(string name, string member, string value)
    {
        using var scope = NewDisposeScope();
        using var file = SafeTensors.Load(At(name));
        var metadata = new Dictionary<string, string>(file.Metadata);
        var options = JsonNode.Parse(metadata["options"])!.AsObject();
        options[member] = JsonNode.Parse(value);
        metadata["options"] = options.ToJsonString();
        SafeTensors.Save(folder.At("old"), new Dictionary<string, Tensor>(file.Tensors), metadata);
        using var model = FlowModel.Load(folder.At("old"));
        model.Warnings.Should().ContainSingle().Which.Should().Contain($".{member} must be in");
        FluentActions.Invoking(model.ModelOptions.Validate).Should().Throw<ArgumentException>().WithMessage($"*.{member} must be in*");
        // what never made sense does not make sense in a file
        options[member] = JsonNode.Parse("-1");
        metadata["options"] = options.ToJsonString();
        SafeTensors.Save(folder.At("forged"), new Dictionary<string, Tensor>(file.Tensors), metadata);
        FluentActions.Invoking(() => FlowModel.Load(folder.At("forged"))).Should().Throw<InvalidDataException>().WithMessage($"*{member}*");
    }

    [Fact, LeavesNoTensors]
    public void A_checkpoint_of_version_1_that_breaks_a_newer_rule_goes_on_to_the_losses_that_it_had()
    {
        using var scope = NewDisposeScope();
        using var expected = SafeTensors.Load(At("expected-ranges"));
        using var trainer = Trainer.Resume(Copy("training-wide"), change: o => o with { Epochs = 4, CheckpointPath = null });
        using var flow = trainer.Flow;
        var x = expected["training-wide/x"];
        var result = trainer.Fit(TrainingData.From(x));
        result.Warnings.Should().ContainSingle(w => w.Contains("Bound must be in 0.01 ... 100", StringComparison.Ordinal));
        using var losses = tensor(result.History.Select(h => h.Loss).ToArray());
        Near(losses, expected["training-wide/losses"], 1e-3);
        Near(flow.LogProb(x), expected["training-wide/resumed"], 1e-3);
    }

    [Fact, LeavesNoTensors]
    public void A_checkpoint_of_version_1_loads_and_goes_on_to_the_losses_that_it_had()
    {
        using var scope = NewDisposeScope();
        using var expected = SafeTensors.Load(At("expected"));
        using (var model = FlowModel.Load(At("training"))) Near(model.LogProb(expected["training/x"]), expected["training/log_prob"], 1e-4);
        var path = Copy("training");
        using var trainer = Trainer.Resume(path);
        using var flow = trainer.Flow;
        trainer.Step.Should().Be(8);
        GoesOn(trainer, expected, "training", path);
    }

    [Fact, LeavesNoTensors]
    public void A_checkpoint_of_version_1_of_a_flow_of_layers_goes_on_to_the_losses_that_it_had()
    {
        using var scope = NewDisposeScope();
        using var expected = SafeTensors.Load(At("expected"));
        var path = Copy("training-flow");
        using var flow = Composed();
        using var trainer = Trainer.Resume(path, flow);
        GoesOn(trainer, expected, "training-flow", path);
    }

    [Fact, LeavesNoTensors]
    public void A_checkpoint_of_version_2_by_a_build_that_had_fewer_members_goes_on_to_the_losses_that_it_had()
    {
        using var scope = NewDisposeScope();
        using var expected = SafeTensors.Load(At("expected-development"));
        var metadata = SafeTensors.ReadHeader(At("training-development")).Metadata;
        metadata["state"].Should().NotContain(nameof(TrainerState.WeightSum));
        metadata["options"].Should().NotContain(nameof(SplineFlowOptions.SmallestBin));
        // it was cut in the middle of an epoch
        using var trainer = Trainer.Resume(Copy("training-development"), change: o => o with { CheckpointPath = null });
        using var flow = trainer.Flow;
        trainer.Step.Should().Be(6);
        var result = trainer.Fit(TrainingData.From(expected["x"]));
        result.Warnings.Should().BeEmpty();
        using var losses = tensor(result.History.Select(h => h.Loss).ToArray());
        using var validation = tensor(result.History.Select(h => h.ValidationLoss!.Value).ToArray());
        Near(losses, expected["losses"], 1e-6);
        Near(validation, expected["validation"], 1e-6);
        Near(flow.LogProb(expected["x"]), expected["log_prob"], 1e-6);
    }

    public static TheoryData<string, string, string> OlderTraining => new()
    {
        { "LearningRate", "11", "LearningRate must be positive, and at most 10" },
        { "WeightNormDecay", "3", "WeightNormDecay must be in 0 ... 1" },
        { "MaxGradientNorm", "1e-9", "MaxGradientNorm must be null, for no limit, or finite and at least 1E-06" },
        { "Adam.Epsilon", "1e-33", "Adam.Epsilon must be in 1E-30 ... 1" },
    };

    [Theory, LeavesNoTensors]
    [MemberData(nameof(OlderTraining))]
    public void Training_options_of_a_checkpoint_that_break_a_newer_rule_go_on_and_say_so(string member, string value, string rule)
    {
        using var scope = NewDisposeScope();
        using var expected = SafeTensors.Load(At("expected-development"));
        var path = Changed(member, value);
        using (var trainer = Trainer.Resume(path, change: o => o with { MaxSteps = 7, CheckpointPath = folder.At("further") }))
        {
            using var flow = trainer.Flow;
            trainer.Fit(TrainingData.From(expected["x"])).Warnings.Should().ContainSingle().Which.Should()
                .Contain($"TrainingOptions.{rule}");
        }
        using (var again = Trainer.Resume(folder.At("further"))) again.Flow.Dispose();
        // nobody chooses such a value anew, and what never made sense makes none in a file
        var chosen = () =>
            Trainer.Resume(Changed(member, "1"), change: o => With(o, member, double.Parse(value, CultureInfo.InvariantCulture)));
        chosen.Should().Throw<ArgumentException>().WithMessage("*must be*");
        var forged = () => Trainer.Resume(Changed(member, "-1"));
        forged.Should().Throw<InvalidDataException>().WithMessage($"*{member.Split('.')[^1]}*");
    }

    private static TrainingOptions With(TrainingOptions options, string member, double value) => member switch
    {
        "LearningRate" => options with { LearningRate = value },
        "WeightNormDecay" => options with { WeightNormDecay = value },
        "MaxGradientNorm" => options with { MaxGradientNorm = value },
        _ => options with { Adam = options.Adam with { Epsilon = value } },
    };

    // the development build's checkpoint with another training option
    private string Changed(string member, string value)
    {
        using var file = SafeTensors.Load(At("training-development"));
        var metadata = new Dictionary<string, string>(file.Metadata);
        var training = JsonNode.Parse(metadata["training"])!;
        var names = member.Split('.');
        var place = names.Length == 1 ? training : training[names[0]]!;
        place[names[^1]] = JsonNode.Parse(value);
        metadata["training"] = training.ToJsonString();
        var path = folder.At($"changed-{value}");
        SafeTensors.Save(path, new Dictionary<string, Tensor>(file.Tensors), metadata);
        return path;
    }

    private void GoesOn(Trainer trainer, SafeTensorsFile expected, string name, string path)
    {
        var data = TrainingData.From(expected[name + "/x"]);
        var result = trainer.Fit(data);
        result.Warnings.Should().ContainSingle(w => w.Contains("older version", StringComparison.Ordinal)
            && w.Contains(path, StringComparison.Ordinal));
        using var losses = tensor(result.History.Select(h => h.Loss).ToArray());
        Near(losses, expected[name + "/losses"], 1e-3);
        using var logProb = trainer.Flow.LogProb(expected[name + "/x"]);
        Near(logProb, expected[name + "/resumed"], 1e-3);
        folder.Names.Should().Equal(name + ".safetensors");
        var metadata = SafeTensors.ReadHeader(path).Metadata;
        metadata["version"].Should().Be("4", "further checkpoints replaced it");
        metadata["training"].Should().NotContain("CheckpointPath").And.NotContain("frozen");
    }

    // as it was when the file was made
    private static Flow Composed()
    {
        manual_seed(8);
        var mask = Mask.Alternating(2);
        return new Flow([2], new Chain([new ActNorm([2]), new AffineCouplingLayer([2], mask, new Mlp(1, 2, 4, 1)),
            new InvertibleLinearLayer([2])]), new StudentT([2]));
    }

    private string Copy(string name)
    {
        var path = folder.At(name + ".safetensors");
        File.Copy(At(name), path);
        return path;
    }

    private static string At(string name) => Path.Combine(AppContext.BaseDirectory, "Serialization", "Files", name + ".safetensors");

    private static void Near(Tensor actual, Tensor expected, double tolerance)
    {
        using var scope = NewDisposeScope();
        actual.shape.Should().Equal(expected.shape);
        actual.to(float64).sub(expected.to(float64)).abs().max().item<double>().Should()
            .BeLessThan(tolerance * (1 + expected.to(float64).abs().max().item<double>()));
    }
}
