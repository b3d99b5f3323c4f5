using System.Text.Json;
using System.Text.RegularExpressions;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Notebooks;

/// <summary>A notebook of samples/notebooks, as it is committed.</summary>
internal sealed partial record Notebook(string Name, string Kernel, string Metadata, IReadOnlyList<NotebookCell> Cells)
{
    public static string Folder => Repository.At("samples", "notebooks");

    /// <summary>The names of all, without extension, in order.</summary>
    public static IEnumerable<string> Names =>
        Directory.EnumerateFiles(Folder, "*.ipynb").Select(f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal);

    public IEnumerable<NotebookCell> Code => Cells.Where(c => c.IsCode);

    /// <summary>The packages that it references, with their versions.</summary>
    public IReadOnlyList<(string Id, string Version)> Packages =>
        [.. Code.SelectMany(c => Package().Matches(c.Source)).Select(m => (m.Groups[1].Value, m.Groups[2].Value))];

    public static Notebook Read(string name)
    {
        using var document = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, name + ".ipynb")));
        var root = document.RootElement;
        var kernel = root.GetProperty("metadata").GetProperty("kernelspec").GetProperty("name").GetString()!;
        return new Notebook(name, kernel, root.GetProperty("metadata").ToString(),
            [.. root.GetProperty("cells").EnumerateArray().Select(NotebookCell.Read)]);
    }

    /// <summary>Code without what only a kernel understands: packages and their sources.</summary>
    public static string WithoutDirectives(string code) => Directive().Replace(code, "");

    [GeneratedRegex("""^#r "nuget: *([^,"]+?) *(?:, *([^"]*?) *)?"[ \t]*$""", RegexOptions.Multiline)]
    private static partial Regex Package();

    [GeneratedRegex("""^#[ri] "[^"\n]*"[ \t]*\n?""", RegexOptions.Multiline)]
    private static partial Regex Directive();
}

/// <summary>A cell: text or code, and what the kernel has put out for it.</summary>
internal sealed record NotebookCell(string? Id, bool IsCode, string Source, IReadOnlyList<NotebookOutput> Outputs)
{
    public static NotebookCell Read(JsonElement cell) => new(
        cell.TryGetProperty("id", out var id) ? id.GetString() : null,
        cell.GetProperty("cell_type").GetString() == "code",
        NotebookOutput.Text(cell.GetProperty("source")),
        cell.TryGetProperty("outputs", out var outputs) ? [.. outputs.EnumerateArray().Select(NotebookOutput.Read)] : []);
}

/// <summary>An output: its type in nbformat, and its texts by MIME type; a stream's text is of type "text/plain".</summary>
internal sealed record NotebookOutput(string Type, IReadOnlyDictionary<string, string> Data)
{
    public static NotebookOutput Read(JsonElement output) => new(
        output.GetProperty("output_type").GetString()!,
        output.TryGetProperty("data", out var data)
            ? data.EnumerateObject().ToDictionary(d => d.Name, d => Text(d.Value))
            : new Dictionary<string, string> { ["text/plain"] = output.TryGetProperty("text", out var text) ? Text(text)
                : output.ToString() });

    /// <summary>nbformat writes a text as one string or as its lines.</summary>
    public static string Text(JsonElement text) =>
        text.ValueKind == JsonValueKind.Array ? string.Concat(text.EnumerateArray().Select(l => l.GetString())) : text.ToString();
}
