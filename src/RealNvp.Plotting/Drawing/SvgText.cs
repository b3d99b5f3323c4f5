using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;

namespace RealNvp.Plotting;

/// <summary>What Skia's SVG lacks: a size that scales, a text for readers who cannot see it, letters that are the same on every
/// machine, and no more bytes than are seen.</summary>
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
        // ScottPlot clears what it draws on, which SVG would show as a black sheet; the picture has its background already
        body = body.Replace(string.Create(CultureInfo.InvariantCulture, $"<rect width=\"{width}\" height=\"{height}\"/>"), "",
            StringComparison.Ordinal);
        using var letters = new SvgLetters();
        body = letters.Drawn(body);
        body = Point().Replace(Number().Replace(Shape().Replace(body, Rounded), Places), "M$1h0");
        body = Spaces().Replace(SharedClips(body), "\n");
        return $"{svg[..start]}<svg{attributes} role=\"img\" aria-label=\"{text}\">\n<title>{text}</title>\n{letters.Definitions()}"
            + body.TrimStart();
    }

    /// <summary>Coordinates to hundredths of a pixel.</summary>
    private static string Rounded(Match shape) => shape.Groups[1].Value + Decimal().Replace(shape.Groups[2].Value, number =>
        double.Parse(number.Value, CultureInfo.InvariantCulture).ToString("0.##", CultureInfo.InvariantCulture)) + "\"";

    /// <summary>Shares and widths to thousandths.</summary>
    private static string Places(Match number) => number.Groups[1].Value
        + double.Parse(number.Groups[2].Value, CultureInfo.InvariantCulture).ToString("0.###", CultureInfo.InvariantCulture) + "\"";

    /// <summary>
    /// Skia writes a clip for each thing that is drawn, and counts those of all files of a process on; here
    /// equal ones are one, and each file counts from 1, so that its bytes are always the same.
    /// </summary>
    private static string SharedClips(string svg)
    {
        Dictionary<string, string> byContent = [], names = [];
        svg = Clip().Replace(svg, clip =>
        {
            var (id, content) = (clip.Groups[1].Value, clip.Groups[2].Value);
            if (byContent.TryGetValue(content, out var first))
            {
                names[id] = first;
                return "";
            }
            byContent[content] = names[id] = $"p{names.Count + 1}";
            return clip.Value;
        });
        foreach (Match match in Definition().Matches(svg)) names.TryAdd(match.Groups[1].Value, $"p{names.Count + 1}");
        return Reference().Replace(svg, match =>
            names.TryGetValue(match.Groups[2].Value, out var name) ? match.Groups[1].Value + name + match.Groups[3].Value : match.Value);
    }

    [GeneratedRegex("<clipPath id=\"([^\"]+)\">\\s*(<rect [^>]*/>)\\s*</clipPath>")]
    private static partial Regex Clip();

    [GeneratedRegex("\\bid=\"([^\"]+)\"")]
    private static partial Regex Definition();

    [GeneratedRegex("(\\bid=\"|url\\(#|href=\"#)([^\")]+)(\"|\\))")]
    private static partial Regex Reference();

    [GeneratedRegex("(<[^>]* (?:d|x|y|width|height|cx|cy|rx|ry)=\")([^\"]*)\"")]
    private static partial Regex Shape();

    [GeneratedRegex("-?\\d+(?:\\.\\d+)?(?:e[-+]?\\d+)?")]
    private static partial Regex Decimal();

    [GeneratedRegex("((?:opacity|stroke-width)=\")(-?\\d+\\.\\d+)\"")]
    private static partial Regex Number();

    [GeneratedRegex("M(-?[\\d.]+ -?[\\d.]+)L\\1(?![\\d.])")]
    private static partial Regex Point();

    [GeneratedRegex("\\s*\\n\\s*")]
    private static partial Regex Spaces();
}
