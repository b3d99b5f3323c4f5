using System.Globalization;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>Puts outlines of letters, of the font that the PNG has, in the place of SVG's text: a reader's machine need not have that
/// font, and no other one takes its place.</summary>
internal sealed partial class SvgLetters : IDisposable
{
    // the units in which the outlines of the font are whole numbers
    private const int Em = 2048;

    private readonly SKTypeface typeface = TextFont.NewTypeface();
    private readonly SKFont font;
    private readonly SortedSet<ushort> used = [];

    public SvgLetters() => font = new SKFont(typeface, Em) { Hinting = SKFontHinting.None, LinearMetrics = true };

    /// <summary>The file with each text as a group of letters that says its text.</summary>
    public string Drawn(string svg) => Element().Replace(svg, Group);

    /// <summary>The outlines of all letters that were drawn.</summary>
    public string Definitions()
    {
        if (used.Count == 0) return "";
        var text = new StringBuilder("<defs>\n");
        foreach (var glyph in used)
        {
            using var path = font.GetGlyphPath(glyph);
            var outline = Decimal().Replace(path?.ToSvgPathData() ?? "", number => ((int)Math.Round(
                double.Parse(number.Value, CultureInfo.InvariantCulture))).ToString(CultureInfo.InvariantCulture));
            text.Append(CultureInfo.InvariantCulture, $"<path id=\"g{glyph}\" d=\"{outline}\"/>\n");
        }
        return text.Append("</defs>\n").ToString();
    }

    public void Dispose()
    {
        font.Dispose();
        typeface.Dispose();
    }

    private string Group(Match element)
    {
        var attributes = Attribute().Matches(element.Groups[1].Value).ToDictionary(a => a.Groups[1].Value, a => a.Groups[2].Value);
        // Skia indents the text, and writes spaces at its ends as they are
        var text = WebUtility.HtmlDecode(element.Groups[2].Value);
        var xs = Numbers(attributes["x"]);
        var ys = Numbers(attributes["y"]);
        var size = double.Parse(attributes["font-size"], CultureInfo.InvariantCulture);
        var (scale, culture) = (size / Em, CultureInfo.InvariantCulture);
        var runes = text.EnumerateRunes().ToArray();
        var group = new StringBuilder("<g");
        foreach (var name in new[] { "fill", "fill-opacity" })
            if (attributes.TryGetValue(name, out var value)) group.Append(culture, $" {name}=\"{value}\"");
        var place = attributes.TryGetValue("transform", out var transform) ? transform + " " : "";
        group.Append(culture, $" transform=\"{place}translate({xs[0]:0.##} {ys[0]:0.##}) scale({scale:0.######})\"");
        group.Append(culture, $" aria-label=\"{WebUtility.HtmlEncode(text)}\">");
        for (var i = 0; i < runes.Length; i++)
        {
            var glyph = font.GetGlyph(runes[i].Value);
            if (Rune.IsWhiteSpace(runes[i])) continue;
            used.Add(glyph);
            var at = (xs[Math.Min(i, xs.Length - 1)] - xs[0]) / scale;
            group.Append(culture, $"<use xlink:href=\"#g{glyph}\" x=\"{at:0}\"/>");
        }
        return group.Append("</g>").ToString();
    }

    private static double[] Numbers(string list) =>
        [.. list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(n => double.Parse(n, CultureInfo.InvariantCulture))];

    [GeneratedRegex("<text ([^>]*)>\\s*(.*?)\\s*</text>", RegexOptions.Singleline)]
    private static partial Regex Element();

    [GeneratedRegex("([\\w-]+)=\"([^\"]*)\"")]
    private static partial Regex Attribute();

    [GeneratedRegex("-?\\d*\\.?\\d+(?:e[-+]?\\d+)?")]
    private static partial Regex Decimal();
}
