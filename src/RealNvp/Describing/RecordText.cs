using System.Globalization;
using System.Text;

namespace RealNvp.Describing;

/// <summary>The text of a record, with numbers that do not follow the culture of the thread: 0.5, and not 0,5 for a German.</summary>
/// <remarks>The text that the compiler makes of a record asks each member for its text, and numbers ask the culture.</remarks>
internal static class RecordText
{
    /// <summary>The name of the record and its members with their values.</summary>
    /// <param name="record">The name.</param>
    /// <param name="members">The record's own <c>PrintMembers</c>.</param>
    public static string Of(string record, Func<StringBuilder, bool> members)
    {
        var before = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
            var text = new StringBuilder(record).Append(" { ");
            return text.Append(members(text) ? " }" : "}").ToString();
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }
}
