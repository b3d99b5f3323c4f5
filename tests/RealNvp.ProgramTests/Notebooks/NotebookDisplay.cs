using System.Collections;
using System.Globalization;

namespace RealNvp.Tests.Notebooks;

/// <summary>Shows a value as .NET Interactive does: by a formatter that its
/// class or a base class names, found by the names of members alone.</summary>
internal static class NotebookDisplay
{
    /// <summary>The MIME type and the text of what a kernel shows.</summary>
    public static (string MimeType, string Text) Show(object value)
    {
        if (FormatterOf(value.GetType()) is not { } formatter)
            return ("text/plain", value is IEnumerable list and not string ? $"[{string.Join(", ", list.Cast<object>())}]"
                : Convert.ToString(value, CultureInfo.InvariantCulture)!);
        using var writer = new StringWriter(CultureInfo.InvariantCulture);
        formatter.GetType().GetMethod("Format")!.Invoke(formatter, [value, writer]).Should().Be(true);
        return ((string)formatter.GetType().GetProperty("MimeType")!.GetValue(formatter)!, writer.ToString());
    }

    /// <summary>The formatter of a type; null if it has none of its own.</summary>
    public static object? FormatterOf(Type type)
    {
        if (type.GetCustomAttributes(inherit: true).SingleOrDefault(a => a.GetType().Name == "TypeFormatterSourceAttribute")
                is not { } attribute)
            return null;
        var source = Activator.CreateInstance((Type)attribute.GetType().GetProperty("FormatterSourceType")!.GetValue(attribute)!)!;
        var preferred = (string[])attribute.GetType().GetProperty("PreferredMimeTypes")!.GetValue(attribute)!;
        return ((IEnumerable<object>)source.GetType().GetMethod("CreateTypeFormatters")!.Invoke(source, null)!)
            .Single(f => (string)f.GetType().GetProperty("MimeType")!.GetValue(f)! == preferred[0]);
    }
}
