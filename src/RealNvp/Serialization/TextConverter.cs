using System.Text.Json;
using System.Text.Json.Serialization;
using RealNvp.Internal;

namespace RealNvp;

/// <summary>Texts in files: one with half of a surrogate pair is refused, where a writer of JSON puts another character in its place
/// without a word.</summary>
internal sealed class TextConverter : JsonConverter<string>
{
    public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetString();

    public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) =>
        writer.WriteStringValue(Checked(value));

    private static string Checked(string text) => Check.IsText(text) ? text
        : throw new ArgumentException("A text has half of a surrogate pair, which no file can hold. Correct it.", nameof(text));
}
