using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace RealNvp;

/// <summary>What the records in files of an older format version lack, and
/// the values that this meant when those files were written.</summary>
/// <remarks>
/// <para>A row is never changed: the default of a member may become another one, but an old file goes on meaning what it meant. In a file
/// of the current version nothing may lack, so a lost member is noticed there, and in an older file one that its version always had.</para>
/// <para>Versions 2 and 3 were those of builds on the way to 0.1.0, so a file of them may lack any member whose row has a later
    /// version; its checksum tells if one was lost.</para>
/// <para>To add a member to a record of <see cref="FileRecords"/>: add a row here, with the value (as JSON) that has the old behaviour, and
/// <see cref="Current"/> as its version. A test tells if the row lacks. After a release in which files of version
/// <see cref="Current"/> were written, the next member needs the next version: raise <see cref="Current"/>.</para>
/// </remarks>
internal static class FrozenMembers
{
    /// <summary>The format version that this library writes.</summary>
    public const int Current = StateFile.CurrentVersion;

    /// <summary>Member of a record, or of the records that derive from it; the
    /// version from which on files have it; its value before, as JSON.</summary>
    public static IReadOnlyList<(Type Record, string Member, int Since, string Before)> Added { get; } =
    [
        (typeof(ModelOptions), nameof(ModelOptions.BaseComponents), 3, "8"),
        (typeof(ModelOptions), nameof(ModelOptions.BaseDegreesOfFreedom), 3, "5"),
        (typeof(ModelOptions), nameof(ModelOptions.InputLimit), 3, "null"),
        (typeof(ModelOptions), nameof(ModelOptions.StandardizeContext), 3, "false"),
        (typeof(ModelOptions), nameof(ModelOptions.Scaling), 3, "\"Moments\""),
        (typeof(ModelOptions), nameof(ModelOptions.TailThreshold), 3, "null"),
        (typeof(GlowOptions), nameof(ModelOptions.Base), 3, "\"StandardNormal\""),
        (typeof(AutoregressiveOptions), nameof(ModelOptions.Base), 3, "\"StandardNormal\""),
        (typeof(SplineFlowOptions), nameof(ModelOptions.Base), 3, "\"StandardNormal\""),
        (typeof(SplineFlowOptions), nameof(SplineFlowOptions.CircularFeatures), 3, "[]"),
        (typeof(SplineFlowOptions), nameof(SplineFlowOptions.CircleLow), 3, "-3.141592653589793"),
        (typeof(SplineFlowOptions), nameof(SplineFlowOptions.CircleHigh), 3, "3.141592653589793"),
        (typeof(SplineFlowOptions), nameof(SplineFlowOptions.SmallestBin), 3, "0.001"),
        (typeof(SplineFlowOptions), nameof(SplineFlowOptions.SmallestDerivative), 3, "0.001"),
        (typeof(SplineFlowOptions), nameof(SplineFlowOptions.Dropout), 4, "0"),
        (typeof(AutoregressiveOptions), nameof(AutoregressiveOptions.Dropout), 4, "0"),
        (typeof(AutoregressiveOptions), nameof(AutoregressiveOptions.SmallestBin), 3, "0.001"),
        (typeof(AutoregressiveOptions), nameof(AutoregressiveOptions.SmallestDerivative), 3, "0.001"),
        (typeof(NiceOptions), nameof(ModelOptions.Base), 3, "\"StandardLogistic\""),
        (typeof(TrainingOptions), nameof(TrainingOptions.Reversible), 3, "false"),
        (typeof(TrainingOptions), nameof(TrainingOptions.WeightDecay), 4, "0"),
        (typeof(TrainingOptions), nameof(TrainingOptions.MaxDuration), 3, "null"),
        (typeof(EpochRecord), nameof(EpochRecord.IsPartial), 3, "false"),
        (typeof(EpochRecord), nameof(EpochRecord.ValidationInfiniteCount), 3, "null"),
        (typeof(EpochRecord), nameof(EpochRecord.ValidationFiniteLoss), 3, "null"),
        (typeof(TrainerState), nameof(TrainerState.Warnings), 3, "[]"),
        (typeof(TrainerState), nameof(TrainerState.WeightSum), 3, "null"),
    ];

    /// <summary>Members that files had before a version, and that are not read any more.</summary>
    public static IReadOnlyList<(Type Record, string Member, int Until)> Removed { get; } =
    [
        // a path in a file would let whoever made it choose which file is overwritten
        (typeof(TrainingOptions), nameof(TrainingOptions.CheckpointPath), 2),
    ];

    /// <summary>Gives the info of a file, of any version, the <see cref="FlowInfo.HeldOutLikelihood"/>
    /// that early files of the current version lack.</summary>
    public static void CompleteInfo(JsonNode? node)
    {
        if (node is JsonObject members && !members.ContainsKey(nameof(FlowInfo.HeldOutLikelihood)))
            members.Add(nameof(FlowInfo.HeldOutLikelihood), null);
    }

    /// <summary>Adds what a record of an older version lacks, and takes out what is not read any more.</summary>
    public static JsonNode? Complete(JsonNode? node, JsonTypeInfo info, int version, Action<string>? dropped)
    {
        if (node is not JsonObject members || info.Kind != JsonTypeInfoKind.Object) return node;
        foreach (var row in Added)
            if (version < row.Since && row.Record.IsAssignableFrom(info.Type) && !members.ContainsKey(row.Member))
                members.Add(row.Member, JsonNode.Parse(row.Before));
        foreach (var row in Removed)
            if (version < row.Until && row.Record.IsAssignableFrom(info.Type) && members.Remove(row.Member, out var value)
                    && value is not null)
                dropped?.Invoke(row.Member);
        // only where a part has rows of its own: a list of epochs is long
        foreach (var property in info.Properties)
            if (members[property.Name] is { } part) CompletePart(part, property.PropertyType, version, dropped);
        return node;
    }

    private static void CompletePart(JsonNode part, Type type, int version, Action<string>? dropped)
    {
        var element = part is JsonArray && type.IsGenericType ? type.GetGenericArguments()[^1] : type;
        if (!Added.Any(row => element.IsAssignableFrom(row.Record) && version < row.Since)) return;
        foreach (var item in part is JsonArray list ? list : (IEnumerable<JsonNode?>)[part])
            Complete(item, FileJson.TypeOf(DerivedType(element, item)), version, dropped);
    }

    // of a family such as the schedules, "kind" names the member
    private static Type DerivedType(Type type, JsonNode? item)
    {
        if (FileJson.TypeOf(type).PolymorphismOptions is not { } family || item is not JsonObject members) return type;
        var kind = members[family.TypeDiscriminatorPropertyName]?.ToString();
        return family.DerivedTypes.FirstOrDefault(d => d.TypeDiscriminator as string == kind) is { DerivedType: { } derived } ? derived
            : type;
    }
}
