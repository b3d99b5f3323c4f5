using System.Globalization;
using System.Text.Json.Nodes;

namespace RealNvp.Benchmarks.Presets;

/// <summary>A model of the study: a <c>Tabular</c> preset by its model's name,
/// and what differs from it, as <c>Nice:Hidden=64,Base=StudentT</c>.</summary>
internal sealed record Candidate(string Name, string Model, IReadOnlyList<KeyValuePair<string, JsonNode?>> Changes)
{
    public static Candidate Parse(string text)
    {
        var parts = text.Split(':', 2);
        var changes = parts.Length == 1 ? []
            : parts[1].Split(',').Select(c => c.Split('=', 2)).Select(c => KeyValuePair.Create(c[0], Value(c[1])));
        return new(text, parts[0], [.. changes]);
    }

    /// <summary>The options for a table.</summary>
    public ModelOptions For(int features, int rows) => Model switch
    {
        "RealNvp" => ModelOptions.FromJson<RealNvpOptions>(Changed(RealNvpOptions.Tabular(features, rows))),
        "Nice" => ModelOptions.FromJson<NiceOptions>(Changed(NiceOptions.Tabular(features, rows))),
        "Spline" => ModelOptions.FromJson<SplineFlowOptions>(Changed(SplineFlowOptions.Tabular(features, rows))),
        "Maf" => ModelOptions.FromJson<MafOptions>(Changed(MafOptions.Tabular(features, rows))),
        "MafSpline" => ModelOptions.FromJson<MafOptions>(Changed(MafOptions.SplineTabular(features, rows))),
        _ => throw new ArgumentException($"Unknown model {Model}: RealNvp, Nice, Spline, Maf or MafSpline."),
    };

    private string Changed(ModelOptions preset)
    {
        var json = JsonNode.Parse(preset.ToJson())!.AsObject();
        foreach (var (name, value) in Changes) json[name] = value?.DeepClone();
        return json.ToJsonString();
    }

    private static JsonNode? Value(string text) =>
        text == "null" ? null : bool.TryParse(text, out var yes) ? yes : long.TryParse(text, CultureInfo.InvariantCulture, out var whole)
            ? whole : double.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number : text;
}
