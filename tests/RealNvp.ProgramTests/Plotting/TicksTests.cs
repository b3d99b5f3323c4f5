using RealNvp.Plotting;

namespace RealNvp.Tests.Plotting;

public class TicksTests
{
    // as a text of 14 pixels has it
    private static double Width(string text) => 8.5 * text.Length;

    [Theory]
    [InlineData(-4, 4, 360, "−4, −3, −2, −1, 0, 1, 2, 3, 4")]
    [InlineData(-0.02, 1.02, 400, "0, 0.2, 0.4, 0.6, 0.8, 1")]
    [InlineData(-4e6, 4e6, 360, "−4e6, −2e6, 0, 2e6, 4e6")]
    [InlineData(0, 2.5e-5, 360, "0, 5e-6, 1e-5, 1.5e-5, 2e-5, 2.5e-5")]
    [InlineData(-1500, 700, 110, "−1000, 0")]
    [InlineData(0.3, 0.31, 400, "0.3, 0.302, 0.304, 0.306, 0.308, 0.31")]
    public void An_axis_has_round_numbers_beside_each_other(double low, double high, double length, string expected) =>
        string.Join(", ", Ticks.Across(low, high, length, Width).Labels).Replace("e−", "e-").Should().Be(expected);

    [Fact]
    public void Numbers_that_differ_in_their_last_digits_are_told_by_what_is_added()
    {
        var ticks = Ticks.Across(999_997, 1_000_003, 300, Width);
        ticks.Labels.Should().Equal("−3", "−2", "−1", "0", "1", "2", "3");
        ticks.Positions.Should().Equal(Enumerable.Range(999_997, 7).Select(n => (double)n));
        ticks.Offset.Should().Be("+ 1e6");
        Ticks.Across(-1_700_000_003, -1_700_000_001, 300, Width).Offset.Should().Be("− 1.7e9");
        Ticks.Across(1e6, 1e6 + 0.02, 500, Width).Labels.Should().Equal("0", "0.005", "0.01", "0.015", "0.02");
    }

    [Fact]
    public void Ticks_differ_and_lie_on_the_axis_whatever_its_range()
    {
        var random = new Random(1);
        for (var i = 0; i < 3000; i++)
        {
            var size = Math.Pow(10, random.Next(-12, 13));
            var low = (random.NextDouble() - 0.5) * size * Math.Pow(10, random.Next(0, 7));
            var high = low + size * (0.1 + random.NextDouble());
            var length = 110 + random.Next(800);
            foreach (var ticks in new[] { Ticks.Across(low, high, length, Width), Ticks.Up(low, high, length) })
            {
                ticks.Labels.Should().OnlyHaveUniqueItems($"of {low} to {high}").And.HaveSameCount(ticks.Positions);
                ticks.Positions.Should().BeInAscendingOrder().And.HaveCountGreaterThan(1).And
                    .OnlyContain(p => p > low - 1e-6 * (high - low) && p < high + 1e-6 * (high - low));
                ticks.Labels.Max(l => l.Length).Should().BeLessThan(13, $"of {low} to {high}: {string.Join(" ", ticks.Labels)}");
            }
        }
    }

    [Fact]
    public void Whole_numbers_have_whole_ticks()
    {
        Ticks.Across(0.9, 2.1, 800, Width, whole: true).Labels.Should().Equal("1", "2");
        Ticks.Across(0, 60, 800, Width, whole: true).Labels.Should().Equal("0", "10", "20", "30", "40", "50", "60");
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(-1200, "−1200")]
    [InlineData(1e8, "1e8")]
    [InlineData(0.123456789, "0.12346")]
    [InlineData(-2.5e-7, "−2.5e−7")]
    [InlineData(double.NaN, "NaN")]
    public void Numbers_are_written_shortly(double number, string expected) => NumberText.Of(number).Should().Be(expected);

    [Fact]
    public void A_text_is_made_smaller_and_then_cut_to_its_room()
    {
        using var text = new Text();
        text.Fit("short", 16, 300).Should().Be(("short", 16));
        var (same, smaller) = text.Fit("a name of some length", 16, 0.9f * text.Width("a name of some length", 16));
        same.Should().Be("a name of some length");
        smaller.Should().BeInRange(14, 15);
        var (cut, size) = text.Fit(new string('m', 400), 16, 100);
        cut.Should().EndWith("…").And.HaveLength(cut.Length);
        text.Width(cut, size).Should().BeInRange(80, 100.5f);
    }
}
