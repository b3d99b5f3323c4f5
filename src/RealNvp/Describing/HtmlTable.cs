using System.Net;
using System.Text;

namespace RealNvp.Describing;

/// <summary>Small tables of HTML, without scripts and classes: all text is escaped, and a notebook's own style applies.</summary>
internal static class HtmlTable
{
    private const string Left = "text-align:left", Right = "text-align:right";

    /// <summary>A table with a line of column names; the first column holds names, the others numbers.</summary>
    /// <param name="caption">What is above the table; null for nothing.</param>
    /// <param name="columns">The names of the columns.</param>
    /// <param name="rows">The rows; each has a text for each column. A row that is marked is bold.</param>
    /// <param name="notes">Sentences below the table.</param>
    /// <param name="texts">How many columns from the left hold text.</param>
    public static string Columns(
        string? caption, IReadOnlyList<string> columns, IEnumerable<(IReadOnlyList<string> Cells, bool Marked)> rows,
            IEnumerable<string>? notes = null,
        int texts = 1)
    {
        var html = Start(caption).Append("<thead><tr>");
        for (var c = 0; c < columns.Count; c++) Cell("th", Side(c, texts), columns[c]);
        html.Append("</tr></thead><tbody>");
        foreach (var (cells, marked) in rows)
        {
            html.Append("<tr>");
            for (var c = 0; c < cells.Count; c++) Cell("td", Side(c, texts) + (marked ? ";font-weight:bold" : ""), cells[c]);
            html.Append("</tr>");
        }
        return End(html, notes);

        void Cell(string tag, string style, string text) =>
            html.Append('<').Append(tag).Append(" style=\"").Append(style).Append("\">").Append(WebUtility.HtmlEncode(text)).Append("</")
                .Append(tag)
                .Append('>');
    }

    /// <summary>A table of names and values.</summary>
    public static string Pairs(string? caption, IEnumerable<(string Name, string Value)> rows, IEnumerable<string>? notes = null)
    {
        var html = Start(caption).Append("<tbody>");
        foreach (var (name, value) in rows)
            html.Append("<tr><th style=\"").Append(Left).Append(";white-space:nowrap\">").Append(WebUtility.HtmlEncode(name))
                .Append("</th><td style=\"").Append(Left)
                .Append(";overflow-wrap:anywhere\">").Append(WebUtility.HtmlEncode(value)).Append("</td></tr>");
        return End(html, notes);
    }

    private static StringBuilder Start(string? caption)
    {
        var html = new StringBuilder("<table>");
        if (caption is not null)
            html.Append("<caption style=\"").Append(Left).Append("\">").Append(WebUtility.HtmlEncode(caption)).Append("</caption>");
        return html;
    }

    private static string End(StringBuilder html, IEnumerable<string>? notes)
    {
        html.Append("</tbody></table>");
        return html.Append(Notes(notes ?? [])).ToString();
    }

    /// <summary>Sentences below a table, one a line.</summary>
    public static string Notes(IEnumerable<string> notes)
    {
        var text = string.Join("<br/>", notes.Select(WebUtility.HtmlEncode));
        return text.Length == 0 ? "" : $"<p>{text}</p>";
    }

    private static string Side(int column, int texts) => column < texts ? Left : Right;
}
