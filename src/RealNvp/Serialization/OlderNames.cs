using System.Text.Json;
using System.Text.Json.Nodes;

namespace RealNvp;

/// <summary>What files and JSON of today say in other words than those before:
/// names of members and classes, and records that were one.</summary>
/// <remarks>
/// The older words are read in files of every version and in JSON that somebody wrote by hand; they are never
/// written. A row is never changed. A member that is new or gone has a row in <see cref="FrozenMembers"/>.
/// </remarks>
internal static class OlderNames
{
    /// <summary>Record, the name that its member had, and the name of today.</summary>
    public static IReadOnlyList<(Type Record, string Older, string Name)> Members { get; } =
    [
        (typeof(GlowOptions), "Steps", nameof(GlowOptions.Layers)),
        (typeof(NiceOptions), "Couplings", nameof(NiceOptions.Layers)),
        (typeof(RealNvpVectorOptions), "Couplings", nameof(RealNvpVectorOptions.Layers)),
        (typeof(SplineFlowOptions), "Couplings", nameof(SplineFlowOptions.Layers)),
    ];

    /// <summary>Classes of models: the name that files had, and the name of today.</summary>
    public static IReadOnlyList<(string Older, string Name)> Kinds { get; } = [("SplineFlow", nameof(SplineFlowModel))];

    /// <summary>
    /// Records that were one. Files had the members of both, so each had some that mean nothing for it:
    /// their names then, and the value that a new record had. With another value it was no use either.
    /// </summary>
    public static IReadOnlyList<(Type Record, string Member, string Default)> Strangers { get; } =
    [
        (typeof(RealNvpVectorOptions), nameof(RealNvpImageOptions.HorizontalFlips), "false"),
        (typeof(RealNvpVectorOptions), nameof(RealNvpImageOptions.Scales), "2"),
        (typeof(RealNvpVectorOptions), nameof(RealNvpImageOptions.NetworkBatchNorm), "true"),
        (typeof(RealNvpVectorOptions), nameof(RealNvpImageOptions.Statistics), "\"Current\""),
        (typeof(RealNvpVectorOptions), nameof(RealNvpImageOptions.MaskAsInput), "true"),
        (typeof(RealNvpVectorOptions), nameof(RealNvpImageOptions.ConcatenatedRelu), "false"),
        (typeof(RealNvpImageOptions), "Couplings", "8"),
        (typeof(RealNvpImageOptions), nameof(RealNvpVectorOptions.VectorMask), "\"Alternating\""),
    ];

    /// <summary>Records from which two derive, one for vectors and one for images: the shape says which one is meant.</summary>
    public static IReadOnlyList<(Type Record, Type Vectors, Type Images)> Families { get; } =
    [
        (typeof(RealNvpOptions), typeof(RealNvpVectorOptions), typeof(RealNvpImageOptions)),
        (typeof(ResidualFlowOptions), typeof(ResidualFlowVectorOptions), typeof(ResidualFlowImageOptions)),
    ];

    /// <summary>The name of today of a class of models.</summary>
    public static string KindOf(string kind) => Kinds.FirstOrDefault(k => k.Older == kind) is { Name: { } name } ? name : kind;

    /// <summary>Whether the JSON of a record may hold older words, or does not say which record it is.</summary>
    public static bool Concern(Type type) => Families.Any(f => f.Record == type) || Members.Any(m => m.Record == type);

    /// <summary>Puts JSON into the words of today, and finds out which record it is.</summary>
    /// <param name="node">The JSON, which is changed.</param>
    /// <param name="type">The record, or the one that the records of a class of models derive from.</param>
    /// <param name="dropped">Hears of each member that means nothing for the record and has a value of its own; null refuses these.</param>
    /// <returns>The record.</returns>
    /// <exception cref="JsonException">A member means nothing for the record.</exception>
    public static Type Translate(JsonNode? node, Type type, Action<string>? dropped)
    {
        var members = node as JsonObject;
        if (Families.FirstOrDefault(f => f.Record == type) is { Record: not null } family)
            type = members?[nameof(ModelOptions.Shape)] is JsonArray { Count: 3 } ? family.Images : family.Vectors;
        if (members is null) return type;
        foreach (var row in Strangers)
        {
            if (row.Record != type || !members.Remove(row.Member, out var value) || JsonNode.DeepEquals(value, JsonNode.Parse(row.Default)))
                continue;
            var said = $"{row.Member} = {value?.ToJsonString() ?? "null"}";
            if (dropped is null)
                throw new JsonException(
                    $"{said} means nothing for {type.Name}, which {nameof(ModelOptions.Shape)} " +
                    $"{members[nameof(ModelOptions.Shape)]?.ToJsonString() ?? "null"} asks for. Leave it out.");
            dropped(said);
        }
        foreach (var row in Members)
            // if both are there, the older one stays and is refused as unknown
            if (row.Record == type && !members.ContainsKey(row.Name) && members.Remove(row.Older, out var value))
                members.Add(row.Name, value);
        return type;
    }
}
