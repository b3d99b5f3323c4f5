using System.Globalization;
using System.Text.Json;
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

    [Fact]
    public void Every_member_of_a_record_in_files_has_a_row_or_was_always_there()
    {
        foreach (var (type, always) in version1)
        {
            var members = FileJson.TypeOf(type).Properties.Where(p => p.Get is not null).Select(p => p.Name).ToArray();
            var added = FrozenMembers.Added.Where(r => r.Record.IsAssignableFrom(type)).Select(r => r.Member).ToArray();
            members.Should().BeEquivalentTo(always.Split(' ').Where(m => !Stranger(type, m)).Select(m => Today(type, m)).Concat(added),
                "a member of {0} that is new needs a row in FrozenMembers.Added with the value that it had", type.Name);
        }
        foreach (var row in FrozenMembers.Added.Concat(FrozenMembers.Removed.Select(r => (r.Record, r.Member, Since: r.Until,
            Before: "null"))))
        {
            row.Since.Should().BeInRange(2, FrozenMembers.Current);
            var parsed = () => JsonNode.Parse(row.Before);
            parsed.Should().NotThrow("{0} is JSON", row.Before);
        }
    }

    private static string Today(Type type, string member) =>
        OlderNames.Members.FirstOrDefault(m => m.Record == type && m.Older == member) is { Name: { } name } ? name : member;

    private static bool Stranger(Type type, string member) => OlderNames.Strangers.Any(s => s.Record == type && s.Member == member);

    public static TheoryData<string> Records => [.. version1.Keys.Where(t => t.IsAssignableTo(typeof(ModelOptions))).Select(t => t.Name)];

    [Theory, MemberData(nameof(Records))]
    public void A_member_that_is_lost_is_named_and_not_taken_for_a_default(string record)
    {
        var options = Laws.PresetTable.All.Values.First(o => o.GetType().Name == record);
        var members = JsonNode.Parse(options.ToJson())!.AsObject();
        foreach (var name in members.Select(m => m.Key).ToArray())
        {
            var damaged = members.DeepClone().AsObject();
            damaged.Remove(name);
            var read = () => ModelOptions.FromFile(options.GetType(), damaged.ToJsonString(), FrozenMembers.Current);
            read.Should().Throw<InvalidDataException>().WithMessage($"*{name}*");
        }
    }

    [Theory]
    [InlineData("Bound", typeof(SplineFlowOptions))]
    [InlineData("Momentum", typeof(RealNvpVectorOptions))]
    [InlineData("Momentum", typeof(RealNvpImageOptions))]
    public void A_member_that_version_1_always_had_is_missed_in_its_files_too(string name, Type type)
    {
        var options = Laws.PresetTable.All.Values.First(o => o.GetType() == type);
        var members = JsonNode.Parse(options.ToJson())!.AsObject();
        members.Remove(name);
        var read = () => ModelOptions.FromFile(type, members.ToJsonString(), 1);
        read.Should().Throw<InvalidDataException>().WithMessage($"*{name}*");
    }

    [Fact]
    public void A_new_member_that_an_older_version_lacks_has_the_value_that_it_had()
    {
        foreach (var row in FrozenMembers.Added)
            foreach (var type in version1.Keys.Where(row.Record.IsAssignableFrom))
            {
                if (type == typeof(EpochRecord)) continue;
                var text = Text(type);
                var members = JsonNode.Parse(text)!.AsObject();
                members.Remove(row.Member);
                foreach (var version in new[] { 1, row.Since - 1 })
                {
                    var node = JsonNode.Parse(FileJson.Write(FileJson.Read(type, members.ToJsonString(), version)))!;
                    JsonNode.DeepEquals(node[row.Member], JsonNode.Parse(row.Before)).Should().BeTrue(
                        "{0}.{1} was {2}, and is read as {3}", type.Name, row.Member, row.Before, node[row.Member]);
                }
                var current = () => FileJson.Read(type, members.ToJsonString(), FrozenMembers.Current);
                current.Should().Throw<JsonException>().WithMessage($"*{row.Member}*");
            }
    }

    [Fact]
    public void A_record_that_somebody_wrote_by_hand_takes_defaults_for_what_it_lacks()
    {
        ModelOptions.FromJson<GlowOptions>("{\"Shape\":[1,8,8]}").Should().Be(new GlowOptions { Shape = [1, 8, 8] });
        ModelOptions.FromJson<SplineFlowOptions>("{\"Bound\":5,\"Shape\":[2]}").Should()
            .Be(new SplineFlowOptions { Shape = [2], Bound = 5 });
        var without = () => ModelOptions.FromJson<SplineFlowOptions>("{\"Bound\":5}");
        without.Should().Throw<InvalidDataException>().WithMessage("*Shape*");
    }

    private const string RealNvp1 =
        "Shape ContextSize Levels Coupling Order LogitAlpha HorizontalFlips Standardize Couplings VectorMask Scales Hidden Blocks " +
        "FlowBatchNorm NetworkBatchNorm Statistics Momentum MaskAsInput ConcatenatedRelu DiagonalScaling Base";

    // the members that all files of version 1 have
    private static readonly Dictionary<Type, string> version1 = new()
    {
        [typeof(GlowOptions)] = "Shape ContextSize Levels HorizontalFlips Scales Steps Hidden Coupling Linear LearnedPriors",
        [typeof(IafOptions)] =
            "Shape ContextSize Levels Standardize Layers Hidden Blocks Residual Transformer Bins Bound Components FlowBatchNorm",
        [typeof(MafOptions)] =
            "Shape ContextSize Levels Standardize Layers Hidden Blocks Residual Transformer Bins Bound Components FlowBatchNorm",
        [typeof(NiceOptions)] = "Shape ContextSize Levels Standardize Couplings Hidden HiddenLayers",
        [typeof(RealNvpVectorOptions)] = RealNvp1,
        [typeof(RealNvpImageOptions)] = RealNvp1,
        [typeof(SplineFlowOptions)] = "Shape ContextSize Levels Standardize Couplings Hidden Blocks Bins Bound Linear",
        [typeof(TrainingOptions)] =
            "Epochs MaxSteps BatchSize LearningRate Schedule Adam WeightNormDecay MaxGradientNorm AverageDecay ValidationFraction " +
                "Patience RestoreBest Seed CheckpointEvery",
        [typeof(TrainerState)] = "Step Epoch Batch LossSum Examples Seconds Best BestEpoch EpochsWithoutGain History",
        [typeof(EpochRecord)] = "Epoch Step Loss BitsPerDim ValidationLoss ValidationBitsPerDim Seconds",
        [typeof(AdamOptions)] = "Beta1 Beta2 Epsilon",
        [typeof(ConstantSchedule)] = "WarmUpSteps",
        [typeof(CosineSchedule)] = "WarmUpSteps Floor",
        [typeof(ExponentialSchedule)] = "WarmUpSteps Factor Every Floor",
        [typeof(StepSchedule)] = "WarmUpSteps Factor Every Floor",
    };

    private static string Text(Type type) => type.IsAssignableTo(typeof(ModelOptions))
        ? Laws.PresetTable.All.Values.First(o => o.GetType() == type).ToJson()
        : FileJson.Write(Activator.CreateInstance(type)!);

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
