using System.Globalization;
using System.Text.Json;
using RealNvp.Describing;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>What a file of a flow says of itself: <see cref="FlowModel.Describe(string, bool)"/>.</summary>
[TypeFormatterSource(typeof(HtmlFormatterSource))]
public sealed class FileDescription : IHtml
{
    private readonly bool hasChecksum;

    internal FileDescription(SafeTensorsReader reader, bool checkContent)
    {
        var metadata = reader.Header.Metadata;
        StateFile.CheckFormat(metadata, reader.Name);
        FormatVersion = StateFile.VersionOf(metadata, reader.Name);
        Kind = metadata.ContainsKey(StateFile.KindKey) ? ModelFile.KindOf(metadata) : "";
        LibraryVersion = metadata.GetValueOrDefault(StateFile.LibraryKey);
        OptionsJson = metadata.GetValueOrDefault(StateFile.OptionsKey);
        Info = FlowInfo.Of(metadata, reader.Name, null);
        IsCheckpoint = metadata.ContainsKey(StateFile.StateKey);
        if (OptionsJson is not null && ModelKind.Find(Kind) is { } known)
        {
            IsKnown = true;
            Options = (ModelOptions)known.Read(OptionsJson, FormatVersion, null);
        }
        foreach (var entry in reader.Header.Entries.Values)
        {
            Bytes += entry.ByteCount;
            if (!entry.Name.StartsWith(StateFile.ModelPrefix, StringComparison.Ordinal)
                    || entry.DType is not (ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float32 or ScalarType.Float64))
                continue;
            Dtype ??= entry.DType;
            Numbers += entry.Shape.Aggregate(1L, (n, s) => n * s);
        }
        hasChecksum = metadata.ContainsKey(Checksum.Key);
        if (checkContent && reader.CompareChecksum()) IsIntact = true;
    }

    /// <summary>The class of the model, such as "MafModel", or the name of a composed flow.</summary>
    public string Kind { get; }

    /// <summary>Whether <see cref="FlowModel.Load(string, Device)"/> can build it: the
    /// file has options, and the class is the library's or registered.</summary>
    public bool IsKnown { get; }

    /// <summary>The version of the format.</summary>
    public int FormatVersion { get; }

    /// <summary>The version of the library that wrote the file; null if it does not say.</summary>
    public string? LibraryVersion { get; }

    /// <summary>The options of the model; null if its class is not known or the file has none.</summary>
    public ModelOptions? Options { get; }

    /// <summary>The options as the file holds them; null if it has none.</summary>
    public string? OptionsJson { get; }

    /// <summary>Names of columns, rows of training and held-out score, as far as the file has them.</summary>
    public FlowInfo Info { get; }

    /// <summary>The number of numbers in weights and buffers.</summary>
    public long Numbers { get; }

    /// <summary>The dtype of the weights; null if there are none.</summary>
    public ScalarType? Dtype { get; }

    /// <summary>The number of bytes of all tensors.</summary>
    public long Bytes { get; }

    /// <summary>Whether it holds the state of a training, which <c>Trainer.Resume</c> goes on with.</summary>
    public bool IsCheckpoint { get; }

    /// <summary>True if the checksum was compared with all that the file holds, and agrees. Null if it was not: the file has none, as those
    /// of the first development version, or it was not asked for. A file whose checksum does not agree is refused.</summary>
    public bool? IsIntact { get; }

    /// <summary>The description as text, a line each.</summary>
    public override string ToString() => string.Join('\n', Rows().Select(r => $"{r.Name}: {r.Value}"));

    /// <summary>The description as HTML: a fragment without scripts, whose text is escaped.</summary>
    public string ToHtml() => HtmlTable.Pairs(null, Rows());

    private IEnumerable<(string Name, string Value)> Rows()
    {
        var culture = CultureInfo.InvariantCulture;
        yield return ("model", IsKnown || OptionsJson is null ? Kind : $"{Kind}, which is not registered here");
        if (IsCheckpoint) yield return ("training", "can be resumed");
        yield return ("numbers", string.Create(culture,
            $"{Numbers:N0}{(Dtype is { } d ? $" in {d.ToString().ToLowerInvariant()}" : "")}, {SummaryText.Bytes(Bytes)} in all"));
        if (Options is { } options)
            yield return ("examples", $"{options.Shape}{(options.ContextSize > 0 ? $", context of {options.ContextSize}" : "")}");
        foreach (var row in Info.Rows()) yield return row;
        yield return ("written by", $"RealNvp {LibraryVersion ?? "of an unknown version"}, format {FormatVersion.ToString(culture)}");
        yield return ("checksum", IsIntact == true ? "agrees with all that the file holds" : hasChecksum ? "not compared" : "none");
        if (OptionsJson is { Length: < 10_000 } json) yield return ("options", Words(json));
    }

    // "Layers = 8, Hidden = 64": names and values as code writes them, without those that are not set
    private static string Words(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            if (document.RootElement.ValueKind != JsonValueKind.Object) return json;
            return string.Join(", ", document.RootElement.EnumerateObject()
                .Where(p => p.Value.ValueKind != JsonValueKind.Null)
                .Select(p => $"{p.Name} = {p.Value}"));
        }
        catch (JsonException)
        {
            // nothing has read the options of a kind that is not known
            return json;
        }
    }
}
