using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;

namespace RealNvp.Plotting;

/// <summary>What Skia's SVG lacks: a size that scales, a text for readers who cannot see it, and names of fonts that are alike.</summary>
internal static partial class SvgText
{
    public static string Finish(string svg, int width, int height, string alt)
    {
        var start = svg.IndexOf("<svg", StringComparison.Ordinal);
        var end = svg.IndexOf('>', start);
        var (attributes, body) = (svg[(start + 4)..end], svg[(end + 1)..]);
        if (!attributes.Contains("viewBox", StringComparison.Ordinal))
            attributes += string.Create(CultureInfo.InvariantCulture, $" viewBox=\"0 0 {width} {height}\"");
        var text = WebUtility.HtmlEncode(alt.ReplaceLineEndings(" "));
        // every glyph has its place in the file: a font with other widths cannot move text
        body = body.Replace("font-family=\"DejaVu Sans\"", "font-family=\"DejaVu Sans, Verdana, sans-serif\"", StringComparison.Ordinal);
        // ScottPlot clears what it draws on, which SVG would show as a black sheet; the picture has its background already
        body = body.Replace(string.Create(CultureInfo.InvariantCulture, $"<rect width=\"{width}\" height=\"{height}\"/>"), "",
            StringComparison.Ordinal);
        body = Renumbered(body);
        return $"{svg[..start]}<svg{attributes} role=\"img\" aria-label=\"{text}\">\n<title>{text}</title>{body}";
    }

    /// <summary>Skia counts the parts of all files of a process on; here each
    /// file counts from 1, so that its bytes are always the same.</summary>
    private static string Renumbered(string svg)
    {
        Dictionary<string, string> names = [];
        foreach (Match match in Definition().Matches(svg)) names.TryAdd(match.Groups[1].Value, $"p{names.Count + 1}");
        return Reference().Replace(svg, match =>
            names.TryGetValue(match.Groups[2].Value, out var name) ? match.Groups[1].Value + name + match.Groups[3].Value : match.Value);
    }

    [GeneratedRegex("\\bid=\"([^\"]+)\"")]
    private static partial Regex Definition();

    [GeneratedRegex("(\\bid=\"|url\\(#|href=\"#)([^\")]+)(\"|\\))")]
    private static partial Regex Reference();
}
