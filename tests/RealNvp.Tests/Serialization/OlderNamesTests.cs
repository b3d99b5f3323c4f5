using System.Text.Json.Nodes;
using FluentAssertions.Execution;
using RealNvp.Tests.Laws;

namespace RealNvp.Tests.Serialization;

public class OlderNamesTests
{
    /// <summary>Every member and class that had another name is still read by it, and written by the name of today.</summary>
    [Fact]
    public void Json_with_older_names_of_members_is_read()
    {
        foreach (var (record, older, name) in OlderNames.Members)
        {
            var options = PresetTable.All.Values.First(o => o.GetType() == record);
            var json = (JsonObject)JsonNode.Parse(options.ToJson())!;
            json.ContainsKey(older).Should().BeFalse("{0} is the name of today", name);
            json.Remove(name, out var value).Should().BeTrue();
            json.Add(older, value!.DeepClone());
            ModelOptions.FromFile(record, json.ToJsonString(), FrozenMembers.Current).Should().Be(options);
            json.Add(name, value.DeepClone());
            var both = () => ModelOptions.FromFile(record, json.ToJsonString(), FrozenMembers.Current);
            both.Should().Throw<InvalidDataException>("only one of {0} and {1} can be meant", older, name);
        }
        foreach (var (_, name) in OlderNames.Kinds) ModelKind.Find(name).Should().NotBeNull();
    }

    [Fact]
    public void The_shape_says_which_of_the_two_records_json_holds()
    {
        ModelOptions.FromJson<RealNvpOptions>(RealNvpOptions.Toy2D.ToJson()).Should().BeOfType<RealNvpVectorOptions>();
        ModelOptions.FromJson<RealNvpOptions>(RealNvpOptions.Digits8x8.ToJson()).Should().BeOfType<RealNvpImageOptions>();
        ModelOptions.FromJson<RealNvpOptions>("""{"Shape":[3],"Couplings":5}""").Should()
            .Be(new RealNvpVectorOptions { Shape = [3], Layers = 5 });
        ModelOptions.FromJson<RealNvpOptions>("""{"Shape":[1,8,8],"Scales":3}""").Should()
            .Be(new RealNvpImageOptions { Shape = [1, 8, 8], Scales = 3 });
        var wrong = () => ModelOptions.FromJson<RealNvpImageOptions>(RealNvpOptions.Toy2D.ToJson());
        wrong.Should().Throw<InvalidDataException>();
    }

    /// <summary>Files of the time when the record was one hold members of both
    /// kinds: the other kind's say nothing, and are told if they tried to.</summary>
    [Fact]
    public void Members_that_mean_nothing_for_the_shape_are_ignored_in_files_and_refused_in_json()
    {
        using var scope = new AssertionScope();
        foreach (var (record, member, usual) in OlderNames.Strangers)
        {
            var options = (RealNvpOptions)PresetTable.All.Values.First(o => o.GetType() == record);
            var json = (JsonObject)JsonNode.Parse(options.ToJson())!;
            json.Add(member, JsonNode.Parse(usual));
            Read(json).Should().Be((options, ""), "{0} has the value that a new record had", member);
            ModelOptions.FromJson<RealNvpOptions>(json.ToJsonString()).Should().Be(options);
            JsonNode other = usual switch
            {
                "true" => JsonValue.Create(false),
                "false" => JsonValue.Create(true),
                _ when usual.StartsWith('"') => JsonValue.Create("Other"),
                _ => JsonValue.Create(3),
            };
            json[member] = other;
            Read(json).Should().Be((options, $"{member} = {other.ToJsonString()}"));
            var refused = () => ModelOptions.FromJson<RealNvpOptions>(json.ToJsonString());
            refused.Should().Throw<InvalidDataException>().WithMessage($"*{member}*means nothing for {record.Name}*");
        }
    }

    private static (ModelOptions, string) Read(JsonObject json)
    {
        var told = new List<string>();
        var read = ModelOptions.FromFile(typeof(RealNvpOptions), json.ToJsonString(), FrozenMembers.Current, told.Add);
        return (read, string.Join("; ", told));
    }
}
