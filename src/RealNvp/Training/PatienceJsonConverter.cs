using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealNvp;

/// <summary>
/// <see cref="TrainingOptions.Patience"/> in a file: a number, or "auto" for null. In files from before there was an automatic choice, null
/// means to train to the end, and it is read as such.
/// </summary>
internal sealed class PatienceJsonConverter : JsonConverter<int?>
{
    private const string Automatic = "auto";

    public override bool HandleNull => true;

    public override int? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
    {
        JsonTokenType.Null => int.MaxValue,
        JsonTokenType.String when reader.ValueTextEquals(Automatic) => null,
        JsonTokenType.Number when reader.TryGetInt32(out var epochs) => epochs,
        _ => throw new JsonException($"{nameof(TrainingOptions.Patience)} must be a whole number, \"{Automatic}\" or null."),
    };

    public override void Write(Utf8JsonWriter writer, int? value, JsonSerializerOptions options)
    {
        if (value is { } epochs) writer.WriteNumberValue(epochs);
        else writer.WriteStringValue(Automatic);
    }
}
