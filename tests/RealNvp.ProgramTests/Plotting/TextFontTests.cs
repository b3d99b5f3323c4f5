using RealNvp.Plotting;
using ScottPlot;

namespace RealNvp.Tests.Plotting;

public class TextFontTests
{
    [Fact]
    public void The_embedded_font_has_the_letters_that_pictures_need()
    {
        using var typeface = TextFont.NewTypeface();
        typeface.FamilyName.Should().Be("DejaVu Sans");
        typeface.ContainsGlyphs("Bits/dim 0123456789 −.,()=µσ²λ Größe ÄÖÜ éñ Плотность").Should().BeTrue();
    }

    [Fact]
    public void ScottPlot_takes_the_embedded_font_and_no_installed_one()
    {
        lock (TextFont.Gate) TextFont.Register();
        using var typeface = Fonts.GetTypeface(TextFont.Name, bold: false, italic: false);
        typeface.FamilyName.Should().Be("DejaVu Sans");
        Fonts.FontResolvers[0].CreateTypeface("Some other font", false, false).Should().BeNull("plots of the application keep their fonts");
    }
}
