using System.Text;
using RealNvp.Describing;
using RealNvp.Internal;

namespace RealNvp;

/// <summary>What an importer did with the tensors of a state dict.</summary>
[TypeFormatterSource(typeof(HtmlFormatterSource))]
public sealed class PyTorchImportReport
{
    internal PyTorchImportReport(string source, string prefix, IReadOnlyList<string> matched, IReadOnlyList<string> leftOver,
        IReadOnlyList<string> conversions) =>
        (Source, Prefix, Matched, LeftOver, Conversions) = (source, prefix, matched, leftOver, conversions);

    /// <summary>Where the state dict came from: a path in quotes, or "The state dict".</summary>
    public string Source { get; }

    /// <summary>What stood before the names and was taken off, such as <c>module.</c>; empty if nothing did.</summary>
    public string Prefix { get; }

    /// <summary>The names of the tensors that went into the flow, or were compared with it, as masks are.</summary>
    public IReadOnlyList<string> Matched { get; }

    /// <summary>The names of the tensors that belong to no part of the flow. A strict importer refuses them.</summary>
    public IReadOnlyList<string> LeftOver { get; }

    /// <summary>What is not as it was in the file, one sentence each: precisions,
    /// merged weights, constants in the place of statistics.</summary>
    public IReadOnlyList<string> Conversions { get; }

    /// <summary>The report in words, some lines.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(FormattableString.Invariant($"{Source}: {Matched.Count} tensors matched, {LeftOver.Count} left over"));
        if (Prefix.Length > 0) text.Append(FormattableString.Invariant($", prefix '{FileText.Name(Prefix)}' taken off"));
        text.Append('.');
        foreach (var line in Conversions) text.Append("\n  ").Append(line);
        if (LeftOver.Count > 0) text.Append("\n  Left over: ").Append(ImportedWeights.Some(LeftOver)).Append('.');
        return text.ToString();
    }
}
