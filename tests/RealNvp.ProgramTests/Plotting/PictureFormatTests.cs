using System.Globalization;
using System.Text;
using System.Xml.Linq;
using RealNvp.Plotting;
using RealNvp.Tests.Infrastructure;
using SkiaSharp;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Plotting;

/// <summary>What holds for every kind of picture.</summary>
public class PictureFormatTests
{
    private static readonly Dictionary<string, Func<Picture>> All = new()
    {
        [nameof(CalibrationPlot)] = () => new CalibrationPlot(new[] { 0.1, 0.4, 0.9 }, new() { Title = "Größe < 1" }),
        [nameof(CornerPlot)] = () => new CornerPlot(Points(120), Points(150), new() { Title = "Größe < 1" }),
        [nameof(DensityPanels)] = () =>
        {
            using var points = tensor(new[] { 0.5f, 0.5f }).reshape(1, 2);
            using var density = zeros(4, 4);
            return new DensityPanels(points, density, points, options: new() { Title = "Größe < 1", PanelWidth = 120 });
        },
        [nameof(DiagnosticPlot)] = () => new DiagnosticPlot(DiagnosticPlotTests.Result(CalibrationKind.Sbc, 4),
            new() { Title = "Größe < 1" }),
        [nameof(ImageGrid)] = () =>
        {
            using var images = arange(0, 32, dtype: uint8).reshape(2, 1, 4, 4);
            return new ImageGrid(images, new() { Title = "Größe < 1", Levels = 32 });
        },
        [nameof(LayerPlot)] = () => new LayerPlot(
            [new() { Path = "bijection.layers.0", Type = "Layer", Depth = 1, IsComposite = false, Output = null, LogDet = new()
            {
                Count = 3, NotFinite = 0, Mean = 1.5, StandardDeviation = 1, Smallest = 0, Largest = 3,
            } }],
            new() { Title = "Größe < 1" }),
        [nameof(RocCurve)] = () => new RocCurve(new[] { 0.1, 0.4, 0.9 }, new[] { 0, 1, 1 }, options: new() { Title = "Größe < 1" }),
        [nameof(ScoreHistogram)] = () => new ScoreHistogram(new[] { 0.1, 0.4 }, new[] { 0.9 }, new() { Title = "Größe < 1" }),
        [nameof(TrainingCurve)] = () => new TrainingCurve([1234.5, 2.5, 1], options: new() { Title = "Größe < 1" }),
        [nameof(WarpedGrid)] = () =>
        {
            using var flow = new RealNvpModel(RealNvpOptions.Toy2D with { Hidden = 4, Layers = 2 }, seed: 0);
            return new WarpedGrid(flow, Points(9), options: new() { Title = "Größe < 1", Lines = 3, PointsPerLine = 9, PanelSize = 120 });
        },
    };

    public static TheoryData<string> Kinds => [.. All.Keys];

    [Fact]
    public void Every_kind_of_picture_is_in_the_table() =>
        All.Keys.Should().BeEquivalentTo(typeof(Picture).Assembly.GetExportedTypes().Where(t => t.IsSubclassOf(typeof(Picture)))
            .Select(t => t.Name));

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_picture_has_the_same_bytes_each_time_and_under_every_culture(string kind)
    {
        var before = CultureInfo.CurrentCulture;
        var (png, svg, html) = (All[kind]().ToPng(), All[kind]().ToSvg(), All[kind]().ToHtml());
        try
        {
            // tests run without ICU: a culture that writes numbers otherwise
            var other = (CultureInfo)CultureInfo.InvariantCulture.Clone();
            (other.NumberFormat.NumberDecimalSeparator, other.NumberFormat.NumberGroupSeparator, other.NumberFormat.NegativeSign) = (",",
                ".", "~");
            (other.NumberFormat.PercentDecimalSeparator, other.NumberFormat.PercentSymbol) = (",", "pct");
            CultureInfo.CurrentCulture = other;
            var again = All[kind]();
            again.ToPng().Should().Equal(png);
            again.ToSvg().Should().Be(svg);
            again.ToHtml().Should().Be(html);
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void SVG_is_a_file_by_itself_with_its_texts_and_a_description(string kind)
    {
        var picture = All[kind]();
        var svg = XDocument.Parse(picture.ToSvg()).Root!;
        svg.Attribute("viewBox")!.Value.Should().Be(string.Create(CultureInfo.InvariantCulture, $"0 0 {picture.Width} {picture.Height}"));
        svg.Attribute("role")!.Value.Should().Be("img");
        svg.Elements().First(e => e.Name.LocalName == "title").Value.Should().Be(picture.AltText);
        svg.Descendants().Where(e => e.Name.LocalName == "g").Select(e => (string?)e.Attribute("aria-label")).Should().Contain("Größe < 1",
            "the title can be read aloud");
        svg.Descendants().Attributes().Where(a => a.Name.LocalName is "href" or "src").Select(a => a.Value)
            .Where(v => !v.StartsWith("data:", StringComparison.Ordinal) && !v.StartsWith('#')).Should().BeEmpty("nothing is outside");
        svg.Descendants().Where(e => e.Name.LocalName == "rect").Should()
            .OnlyContain(e => e.Attribute("fill") != null
                || e.Parent!.Name.LocalName == "clipPath", "a rectangle without a colour is black");
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void SVG_needs_no_font_and_each_letter_is_in_the_file(string kind)
    {
        var svg = XDocument.Parse(All[kind]().ToSvg()).Root!;
        svg.Descendants().Select(e => e.Name.LocalName).Should().NotContain(["text", "style"], "a font of the machine would draw it");
        svg.Descendants().Attributes().Should().NotContain(a => a.Name.LocalName.StartsWith("font", StringComparison.Ordinal));
        var ids = svg.Descendants().Attributes("id").Select(a => a.Value).ToArray();
        ids.Should().OnlyHaveUniqueItems();
        var letters = svg.Descendants().Where(e => e.Name.LocalName == "use" && e.Parent!.Name.LocalName == "g"
            && e.Parent.Attribute("aria-label") != null).ToArray();
        letters.Length.Should().BeGreaterThan(6, "the title alone has seven");
        letters.Select(e => e.Attributes().Single(a => a.Name.LocalName == "href").Value[1..]).Should().BeSubsetOf(ids);
        foreach (var group in letters.GroupBy(e => e.Parent!))
            group.Count().Should().Be(group.Key.Attribute("aria-label")!.Value.Count(c => !char.IsWhiteSpace(c)));
    }

    [Fact]
    public void SVG_of_thousands_of_points_and_lines_stays_small()
    {
        double[][] Wide(int count) => [.. Points(count).Zip(Points(count + 1), (a, b) => a.Concat(b).ToArray())];
        new CornerPlot(Wide(1000), Wide(1100)).ToSvg().Length.Should().BeLessThan(250_000,
            "six panels of 1,000 points, which were 1.3 million bytes as they came from Skia");
        using var flow = new RealNvpModel(RealNvpOptions.Toy2D with { Hidden = 4, Layers = 2 }, seed: 0);
        new WarpedGrid(flow, Points(3000)).ToSvg().Length.Should().BeLessThan(200_000, "lines have no more points than are seen");
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void HTML_is_a_page_by_itself_with_the_picture_and_its_text(string kind)
    {
        var picture = All[kind]();
        var page = picture.ToHtml();
        page.Should().StartWith("<!DOCTYPE html>\n").And.EndWith("</html>\n").And.Contain("charset=\"utf-8\"").And.NotContain(
            "<script").And.NotContain("http");
        var source = page.Split("src=\"data:image/png;base64,")[1].Split('"')[0];
        using var image = SKBitmap.Decode(Convert.FromBase64String(source));
        (image.Width, image.Height).Should().Be((2 * picture.Width, 2 * picture.Height), "sharp screens have two pixels for one");
        page.Should().Contain($"alt=\"{System.Net.WebUtility.HtmlEncode(picture.AltText)}\"").And.Contain("&lt; 1");
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Streams_and_files_hold_what_memory_has(string kind)
    {
        var picture = All[kind]();
        var (png, svg, html) = (picture.ToPng(), Encoding.UTF8.GetBytes(picture.ToSvg()), Encoding.UTF8.GetBytes(picture.ToHtml()));
        using var stream = new MemoryStream();
        stream.WriteByte(7);
        picture.SavePng(stream);
        picture.SaveSvg(stream);
        picture.SaveHtml(stream);
        stream.ToArray().Should().Equal([7, .. png, .. svg, .. html]);

        using var folder = new TemporaryFolder();
        foreach (var (name, bytes) in new[] { ("a.png", png), ("b.SVG", svg), ("c.html", html), ("d.Htm", html) })
        {
            picture.Save(folder.At(Path.Combine("new", name)));
            File.ReadAllBytes(folder.At(Path.Combine("new", name))).Should().Equal(bytes, name);
        }
        picture.SavePng(folder.At("any.name"));
        File.ReadAllBytes(folder.At("any.name")).Should().Equal(png);
    }

    [Fact]
    public void A_name_or_a_stream_that_cannot_be_written_is_refused()
    {
        var picture = All[nameof(RocCurve)]();
        FluentActions.Invoking(() => picture.Save("roc.jpg")).Should().Throw<ArgumentException>()
            .WithMessage("*'roc.jpg'*'.jpg'; expected .png, .svg, .html*");
        FluentActions.Invoking(() => picture.Save("roc")).Should().Throw<ArgumentException>().WithMessage("*no extension*");
        FluentActions.Invoking(() => picture.Save(" ")).Should().Throw<ArgumentException>();
        using var closed = new MemoryStream([1], writable: false);
        FluentActions.Invoking(() => picture.SaveSvg(closed)).Should().Throw<ArgumentException>().WithMessage("*cannot be written*");
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_notebook_finds_the_PNG_by_the_names_of_attribute_and_methods(string kind)
    {
        var picture = All[kind]();
        var attribute = picture.GetType().GetCustomAttributes(inherit: true)
            .Single(a => a.GetType().Name == "TypeFormatterSourceAttribute");
        dynamic source = Activator.CreateInstance((Type)attribute.GetType().GetProperty("FormatterSourceType")!.GetValue(attribute)!,
            nonPublic: true)!;
        ((string[])attribute.GetType().GetProperty("PreferredMimeTypes")!.GetValue(attribute)!).Should().Equal("image/png");
        var create = ((object)source).GetType().GetMethod("CreateTypeFormatters")!;
        var formatter = ((IEnumerable<object>)create.Invoke(source, null)!).Single();
        formatter.GetType().GetProperty("MimeType")!.GetValue(formatter).Should().Be("image/png");
        using var writer = new StringWriter();
        formatter.GetType().GetMethod("Format")!.Invoke(formatter, [picture, writer]).Should().Be(true);
        Convert.FromBase64String(writer.ToString()).Should().Equal(picture.ToPng());
    }

    private static double[][] Points(int count)
    {
        var random = new Random(count);
        return [.. Enumerable.Range(0, count).Select(_ => new[] { random.NextDouble() + random.NextDouble(), random.NextDouble() })];
    }
}
