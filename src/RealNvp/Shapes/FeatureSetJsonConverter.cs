using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealNvp;

/// <summary>Writes a set of features as a JSON array of its indices.</summary>
/// <remarks>Public for the JSON code that a build generates for records of yours.</remarks>
public sealed class FeatureSetJsonConverter : JsonConverter<FeatureSet>
{
    /// <summary>As many as a model may have elements in a dimension.</summary>
    private const int Most = 1 << 20;

    /// <inheritdoc/>
    public override FeatureSet Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartArray) throw new JsonException("A set of features is an array of indices.");
        var features = new List<int>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (features.Count == Most || reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out var feature) || feature < 0)
                throw new JsonException("A feature is a whole number of at least 0.");
            features.Add(feature);
        }
        try { return FeatureSet.Create([.. features]); }
        catch (ArgumentException e) { throw new JsonException(e.Message, e); }
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, FeatureSet value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStartArray();
        foreach (var feature in value) writer.WriteNumberValue(feature);
        writer.WriteEndArray();
    }
}
