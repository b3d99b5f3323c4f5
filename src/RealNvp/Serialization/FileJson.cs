using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace RealNvp;

/// <summary>The JSON of our files. Which records stand in them, and what older files say in their place, is handed in.</summary>
/// <remarks>
/// The code that reads and writes is generated when the library is built, so a host that has
/// switched JSON by reflection off works too. Every member of every record is required: what a
/// file of an older format version lacks is filled in from <see cref="FrozenMembers"/> before.
/// </remarks>
internal static class FileJson
{
    // Each record is one flat object, but for schedules, Adam's numbers and the list of epochs.
    private const int MaxDepth = 8;

    private static readonly Lock adding = new();
    private static readonly List<Func<IJsonTypeInfoResolver>> sources = [];
    private static volatile JsonSerializerOptions? options;

    /// <summary>What older files say; set once, before the first file.</summary>
    public static IOlderRecords Older { get; set; } = null!;

    /// <summary>Learns of records.</summary>
    /// <param name="source">Gives the code that a build generated for them, or reflection; asked at the first need.</param>
    public static void Add(Func<IJsonTypeInfoResolver> source)
    {
        lock (adding)
        {
            sources.Add(source);
            options = null;
        }
    }

    private static JsonSerializerOptions Options()
    {
        if (options is { } known) return known;
        lock (adding) return options ??= New([.. sources.Select(source => source())]);
    }

    private static JsonSerializerOptions New(IJsonTypeInfoResolver[] records) => new()
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowOutOfOrderMetadataProperties = true,
        AllowDuplicateProperties = false,
        RespectNullableAnnotations = true,
        Converters = { new JsonStringEnumConverter(allowIntegerValues: false), new TextConverter() },
        MaxDepth = MaxDepth,
        TypeInfoResolver = JsonTypeInfoResolver.Combine(records).WithAddedModifier(RequireAll),
    };

    public static JsonTypeInfo TypeOf(Type type) => Options().GetTypeInfo(type);

    /// <summary>The value, whose own type must be one of <see cref="FileRecords"/>, as JSON.</summary>
    public static string Write(object value) => JsonSerializer.Serialize(value, TypeOf(value.GetType()));

    /// <summary>Reads the JSON of a record as a file of a format version holds it.</summary>
    /// <param name="text">The JSON.</param>
    /// <param name="version">The format version of the file.</param>
    /// <param name="dropped">
    /// Hears of each member that this version had and that is not read any more, if its value is not
    /// null, and of members that mean nothing for this record. If it is null, those are refused.
    /// </param>
    /// <exception cref="JsonException">It is no such record; the message names the member.</exception>
    public static T Read<T>(string text, int version, Action<string>? dropped = null) where T : class =>
        (T)Read(typeof(T), text, version, dropped);

    /// <inheritdoc cref="Read{T}"/>
    public static object Read(Type type, string text, int version, Action<string>? dropped = null)
    {
        // a list of epochs is long: it is read as it is if it can be
        if (!Older.Concern(type, version))
            return JsonSerializer.Deserialize(text, TypeOf(type)) ?? throw new JsonException("The JSON value is null.");
        var node = Parse(text);
        var record = Older.Translate(node, type, version, dropped);
        return JsonSerializer.Deserialize(node, TypeOf(record)) ?? throw new JsonException("The JSON value is null.");
    }

    /// <summary>Reads the JSON of a record that somebody may have written by
    /// hand: a member that lacks has the value that a new record has.</summary>
    /// <param name="text">The JSON.</param>
    /// <param name="required">Members without which there is no such record.</param>
    public static T ReadPartial<T>(string text, params ReadOnlySpan<string> required) where T : class
    {
        var given = Parse(text);
        var info = TypeOf(Older.Translate(given, typeof(T), StateFile.CurrentVersion, dropped: null));
        if (given is JsonObject members && JsonSerializer.SerializeToNode(Activator.CreateInstance(info.Type), info) is JsonObject defaults)
        {
            foreach (var name in required) defaults.Remove(name);
            foreach (var (name, value) in defaults)
                if (!members.ContainsKey(name)) members.Add(name, value?.DeepClone());
        }
        return (T?)JsonSerializer.Deserialize(given, info) ?? throw new JsonException("The JSON value is null.");
    }

    private static JsonNode? Parse(string text) =>
        JsonNode.Parse(text, documentOptions: new JsonDocumentOptions { MaxDepth = MaxDepth, AllowDuplicateProperties = false });

    private static void RequireAll(JsonTypeInfo info)
    {
        if (info.Kind != JsonTypeInfoKind.Object) return;
        foreach (var property in info.Properties)
            // what a record of a user's lacks has the value that a new one has: its versions are the user's
            if (property.Set is not null && property.DeclaringType.Assembly == typeof(FileJson).Assembly) property.IsRequired = true;
    }
}
