using System.Globalization;
using System.Text.Json;

namespace RealNvp.Scoring.Files;

/// <summary>The record of options of a model, read from the JSON of a file member by member. Nothing may be left at the end.</summary>
internal sealed class OptionsReader
{
    private readonly string file;
    private readonly int version;
    private readonly Dictionary<string, JsonElement> members = new(StringComparer.Ordinal);

    /// <param name="json">The JSON.</param>
    /// <param name="file">What messages call the file.</param>
    /// <param name="version">The format version of the file.</param>
    public OptionsReader(string json, string file, int version)
    {
        (this.file, this.version) = (file, version);
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 8, AllowDuplicateProperties = false });
            if (document.RootElement.ValueKind != JsonValueKind.Object) throw Bad($"they are {document.RootElement.ValueKind}, no record");
            foreach (var member in document.RootElement.EnumerateObject()) members.Add(member.Name, member.Value.Clone());
        }
        catch (JsonException e)
        {
            throw Bad($"they are no JSON ({FileText.Sentence(e.Message.TrimEnd('.'))})", e);
        }
    }

    /// <summary>Whether a member is there.</summary>
    public bool Has(string name) => members.ContainsKey(name);

    /// <summary>A whole number of a range.</summary>
    public int Whole(string name, int least, int most, int since = 1, int before = 0)
    {
        if (Take(name, since) is not { } value) return before;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) && number >= least && number <= most
            ? (int)number : throw Bad(name, value, $"a whole number in {least} ... {most}");
    }

    /// <summary>A number of a range.</summary>
    public double Number(string name, double least, double most, int since = 1, double before = 0)
    {
        if (Take(name, since) is not { } value) return before;
        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && number >= least && number <= most
            ? number : throw Bad(name, value, FormattableString.Invariant($"a number in {least:G4} ... {most:G4}"));
    }

    /// <summary>A positive finite number, or null.</summary>
    public double? PositiveOrNull(string name, int since = 1)
    {
        if (Take(name, since) is not { } value || value.ValueKind == JsonValueKind.Null) return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && number > 0 && double.IsFinite(number)
            ? number : throw Bad(name, value, "a positive number or null");
    }

    public bool Flag(string name, int since = 1) => Take(name, since) is { } value && (value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Bad(name, value, "true or false"),
    });

    /// <summary>One of some words.</summary>
    public string Word(string name, ReadOnlySpan<string> words, int since = 1, string before = "")
    {
        if (Take(name, since) is not { } value) return before;
        var text = value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
        return words.Contains(text) ? text : throw Bad(name, value, $"one of {string.Join(", ", words.ToArray())}");
    }

    /// <summary>A list of whole numbers from a least one on.</summary>
    public int[] List(string name, int least, int since = 1)
    {
        if (Take(name, since) is not { } value) return [];
        if (value.ValueKind != JsonValueKind.Array) throw Bad(name, value, "a list");
        var numbers = new List<int>();
        foreach (var item in value.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt32(out var number) || number < least)
                throw Bad(name, value, $"whole numbers from {least} on");
            numbers.Add(number);
        }
        return [.. numbers];
    }

    /// <summary>Says that members mean nothing for what is computed here.</summary>
    public void Ignore(params ReadOnlySpan<string> names)
    {
        foreach (var name in names) members.Remove(name);
    }

    /// <summary>Throws if a member is left.</summary>
    public void CheckEmpty()
    {
        if (members.Keys.Order(StringComparer.Ordinal).FirstOrDefault() is { } name)
            throw Bad($"{FileText.Name(name)} is not known here: the file may be newer than this package. Update RealNvp.Scoring");
    }

    /// <summary>A rule that options break.</summary>
    public InvalidDataException Bad(string what, Exception? inner = null) => new($"{file}: its options cannot be used: {what}.", inner);

    private JsonElement? Take(string name, int since)
    {
        if (members.Remove(name, out var value)) return value;
        return version < since ? null : throw Bad($"{name} is missing");
    }

    private InvalidDataException Bad(string name, JsonElement value, string expected) => Bad(string.Create(CultureInfo.InvariantCulture,
        $"{name} is {FileText.Name(value.GetRawText())}; expected {expected}"));
}
