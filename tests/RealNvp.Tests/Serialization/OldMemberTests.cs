using System.Text.Json;
using System.Text.Json.Nodes;

namespace RealNvp.Tests.Serialization;

/// <summary>Which members the records in files have had since when: what an older file lacks has the value that it had.</summary>
public sealed class OldMemberTests
{
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
}
