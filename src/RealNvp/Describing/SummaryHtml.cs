using System.Net;
using System.Text;

namespace RealNvp.Describing;

/// <summary>A <see cref="FlowSummary"/> as HTML.</summary>
internal static class SummaryHtml
{
    public static string Write(FlowSummary summary)
    {
        var columns = summary.RowCount > 0 ? SummaryText.Columns.Length : 3;
        var html = new StringBuilder();
        html.Append("<table><caption style=\"text-align:left\">").Append(Text(SummaryText.Title(summary))).Append("</caption><thead><tr>");
        for (var c = 0; c < columns; c++)
            html.Append("<th style=\"text-align:").Append(Side(c)).Append("\">").Append(SummaryText.Columns[c]).Append("</th>");
        html.Append("</tr></thead><tbody>");
        foreach (var layer in summary.Layers)
        {
            var cells = SummaryText.Cells(layer, indent: false);
            html.Append("<tr>");
            for (var c = 0; c < columns; c++)
                html.Append("<td style=\"text-align:").Append(Side(c)).Append(c == 0 ? $";padding-left:{1 + layer.Depth}em"
                    : "").Append("\">").Append(Text(cells[c])).Append("</td>");
            html.Append("</tr>");
        }
        html.Append("</tbody></table>");
        return html.Append(HtmlTable.Notes(SummaryText.Notes(summary))).ToString();
    }

    private static string Side(int column) => column < 2 ? "left" : "right";

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}
