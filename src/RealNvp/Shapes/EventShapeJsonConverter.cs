using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealNvp;

/// <summary>Writes a shape as a JSON array of its sizes.</summary>
/// <remarks>Public for the JSON code that a build generates for records of yours.</remarks>
public sealed class EventShapeJsonConverter : JsonConverter<EventShape>
{
    /// <inheritdoc/>
    public override EventShape Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartArray) throw new JsonException("A shape is an array of sizes.");
        var sizes = new List<long>(4);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (sizes.Count == 8) throw new JsonException("A shape has at most 8 sizes.");
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var size) || size is 0 or < -1)
                throw new JsonException("A size is a whole number of at least 1.");
            sizes.Add(size);
        }
        return sizes.ToArray();
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, EventShape value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStartArray();
        foreach (var size in value) writer.WriteNumberValue(size);
        writer.WriteEndArray();
    }
}
