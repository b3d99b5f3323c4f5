namespace RealNvp.Plotting;

/// <summary>
/// Shows a picture in a notebook as PNG. .NET Interactive finds this by the names of the attribute and of the methods alone, so no package
/// of its is needed.
/// </summary>
internal sealed class PictureFormatterSource
{
#pragma warning disable CA1822 // found by name, on an instance
    public IEnumerable<object> CreateTypeFormatters() => [new Png()];

    private sealed class Png
    {
        public string MimeType => "image/png";

        public bool Format(object instance, TextWriter writer)
        {
            if (instance is not Picture picture) return false;
            writer.Write(Convert.ToBase64String(picture.ToPng()));
            return true;
        }
    }
#pragma warning restore CA1822
}

/// <summary>Marks a class for which <see cref="PictureFormatterSource"/> writes PNG; the classes that derive from it too.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class TypeFormatterSourceAttribute(Type formatterSourceType) : Attribute
{
    public Type FormatterSourceType { get; } = formatterSourceType;

    public string[]? PreferredMimeTypes { get; set; } = ["image/png"];
}
