using System.Net;

namespace RealNvp.Describing;

/// <summary>A result that has a form for notebooks.</summary>
internal interface IHtml
{
    /// <summary>A fragment of HTML.</summary>
    string ToHtml();
}

/// <summary>Shows results in a notebook as HTML. .NET Interactive finds this by the names
/// of the attribute and of the methods alone, so no package of its is needed.</summary>
internal sealed class HtmlFormatterSource
{
#pragma warning disable CA1822 // found by name, on an instance
    public IEnumerable<object> CreateTypeFormatters() => [new Html()];

    private sealed class Html
    {
        public string MimeType => "text/html";

        public bool Format(object instance, TextWriter writer)
        {
            // layers and flows are the tree that they print
            writer.Write(instance is IHtml html ? html.ToHtml() : $"<pre>{WebUtility.HtmlEncode(instance.ToString())}</pre>");
            return true;
        }
    }
#pragma warning restore CA1822
}

/// <summary>Marks a class for which <see cref="HtmlFormatterSource"/> writes HTML; the classes that derive from it too.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class TypeFormatterSourceAttribute(Type formatterSourceType) : Attribute
{
    public Type FormatterSourceType { get; } = formatterSourceType;

    public string[]? PreferredMimeTypes { get; set; } = ["text/html"];
}
