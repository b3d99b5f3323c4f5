using System.Reflection;
using System.Text.RegularExpressions;

namespace RealNvp.Tests.House;

/// <summary>Who knows whom: see <see cref="Floors"/>.</summary>
public partial class FloorTests
{
    [Fact]
    public void No_type_knows_a_type_of_a_floor_above_its_own() =>
        Upward().Select(a => $"{a.From} ({a.FromRoom}) knows {a.To} ({a.ToRoom})").Should().BeEmpty(
            "the floors are {0}. Move the type to the floor that it belongs to, let the lower one take a value, a delegate or an " +
                "interface of its own floor, or move what both need down", string.Join(" < ", Floors.Rooms.Select(r => r.Room)));

    [Fact]
    public void The_order_of_the_floors_is_that_of_the_design()
    {
        string[] order = ["Kernels", "Operations", "Layers", "Flow"],
            top = ["Serialization", "Checking", "Inference", "Diagnostics", "Training", "Models", "Anomalies", "Tables",
                "PyTorch"];
        order.Select(Floors.HeightOf).Should().BeInAscendingOrder();
        foreach (var layers in new[] { "Transformers", "Conditioners", "Bijections", "Densities", "Context" })
            Floors.HeightOf(layers).Should().BeInRange(Floors.HeightOf("Layers"), Floors.HeightOf("Flow"));
        Floors.Rooms.Select(r => r.Room).Skip(Floors.HeightOf("Flow") + 1).Should().Equal(top);
    }

    [Fact]
    public void Every_source_file_is_on_a_floor() => SourceMap.Sources().Where(f => Floors.RoomOf(f) is null).Should().BeEmpty();

    [Fact]
    public void Every_type_is_found_in_the_source_and_in_one_room()
    {
        var types = typeof(Flow).Assembly.GetTypes().Where(t => !t.IsNested && !t.Name.Contains('<')
            && t.Namespace?.StartsWith(nameof(RealNvp), StringComparison.Ordinal) == true).Select(t => t.Name.Split('`')[0]).ToHashSet();
        types.Should().BeSubsetOf(SourceMap.Files.Keys);
        SourceMap.Files.Where(f => types.Contains(f.Key) && f.Value.Select(Floors.RoomOf).Distinct().Count() > 1).Select(f => f.Key)
            .Should().BeEmpty();
    }

    [Fact]
    public void Arrows_of_all_kinds_are_seen()
    {
        var seen = TypeArrows.In(typeof(FloorTests).Assembly.Location);
        foreach (var kind in new[] { nameof(ByBase), nameof(ByField), nameof(ByParameter), nameof(ByCall), nameof(ByLambda),
            nameof(ByTypeOf), nameof(ByConstraint), nameof(ByGeneric), nameof(ByIterator) })
            seen.Should().Contain((kind, nameof(ArrowTarget)));
        Constants([("a.cs", "var x = ArrowTarget.Literal + nameof(ArrowTarget.Other);")], [typeof(ArrowTarget)]).Should()
            .Equal(("a.cs", nameof(ArrowTarget)));
        Constants([("a.cs", "// ArrowTarget.Literal\nvar x = nameof(ArrowTarget.Literal);")], [typeof(ArrowTarget)]).Should().BeEmpty();
    }

    private static (string From, string To, string FromRoom, string ToRoom)[] Upward()
    {
        var assembly = typeof(Flow).Assembly;
        var declared = SourceMap.Files.SelectMany(f => f.Value.Select(path => (path, f.Key))).ToLookup(f => f.path, f => f.Key);
        var constants = Constants(SourceMap.Sources().Select(f => (f, File.ReadAllText(SourceMap.Root(f)))),
            assembly.GetTypes().Where(t => !t.IsNested))
            .SelectMany(c => declared[c.File].Select(from => (From: from, To: c.Type)));
        return [.. TypeArrows.In(assembly.Location).Concat(constants).Distinct()
            .Where(a => a.From != a.To && SourceMap.Files.ContainsKey(a.From) && SourceMap.Files.ContainsKey(a.To))
            .Select(a => (a.From, a.To, Floors.RoomOf(SourceMap.Files[a.From][0])!, Floors.RoomOf(SourceMap.Files[a.To][0])!))
            .Where(a => Floors.HeightOf(a.Item4) > Floors.HeightOf(a.Item3)).Order()];
    }

    // A constant and a member of an enum are numbers in the compiled code, so they are
    // looked for in the source. nameof is for messages, and may name what is above.
    private static IEnumerable<(string File, string Type)> Constants(IEnumerable<(string File, string Text)> sources,
        IEnumerable<Type> types)
    {
        var literals = types.SelectMany(t => t.GetFields(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static)
            .Where(f => f.IsLiteral).Select(f => $"{t.Name}.{f.Name}")).ToHashSet();
        foreach (var (file, text) in sources)
            foreach (var type in Member().Matches(Apart().Replace(text, "")).Where(m => literals.Contains(m.Value))
                    .Select(m => m.Groups[1].Value).Distinct())
                yield return (file, type);
    }

    [GeneratedRegex(@"\b([A-Z]\w*)\.[A-Z]\w*")]
    private static partial Regex Member();

    // comments and names
    [GeneratedRegex(@"//[^\n]*|nameof\([^)]*\)")]
    private static partial Regex Apart();
}
