using RealNvp.Plotting;
using RealNvp.Tests.Infrastructure;
using SkiaSharp;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Plotting;

public class CornerPlotTests
{
    private static bool IsBlue(SKColor c) => c.Blue > 140 && c.Red < 130 && c.Blue > c.Red + 60;
    private static bool IsOrange(SKColor c) => c.Red > 180 && c.Blue < 110 && c.Green < 160;

    [Fact]
    public void A_contour_of_a_share_holds_that_share_of_the_points()
    {
        var random = new Random(0);
        var (x, y) = (Normals(random, 20_000), Normals(random, 20_000));
        foreach (var share in new[] { 0.5, 0.9 })
        {
            var line = MassContours.Of(x, y, (-5, 5), (-5, 5), [share]).Should().ContainSingle("one hill has one contour").Subject;
            line[0].Should().Be(line[^1], "it is closed");
            // around a round normal, radius² of the contour is −2 log(1 − share)
            var radius = Math.Sqrt(-2 * Math.Log(1 - share));
            line.Average(p => Math.Sqrt(p.X * p.X + p.Y * p.Y)).Should().BeApproximately(radius, 0.12);
            x.Zip(y).Count(p => Math.Sqrt(p.First * p.First + p.Second * p.Second) < radius).Should().BeCloseTo((int)(share * 20_000), 300);
        }
    }

    [Fact]
    public void Lines_of_equal_height_of_a_cone_are_circles_and_of_two_peaks_two()
    {
        var cone = new double[41, 41];
        var peaks = new double[41, 41];
        for (var r = 0; r < 41; r++)
            for (var c = 0; c < 41; c++)
            {
                cone[r, c] = Math.Max(0, 20 - Math.Sqrt((r - 20) * (r - 20) + (c - 20) * (c - 20)));
                peaks[r, c] = Math.Max(0, 6 - Math.Abs(r - 20)) * Math.Max(0, 6 - Math.Min(Math.Abs(c - 10), Math.Abs(c - 30)));
            }
        var circle = MarchingSquares.Lines(cone, 10).Single();
        circle.Should().OnlyContain(p => Math.Abs(Math.Sqrt((p.Row - 20) * (p.Row - 20) + (p.Column - 20) * (p.Column - 20)) - 10) < 0.1);
        MarchingSquares.Lines(peaks, 3).Should().HaveCount(2);
        MarchingSquares.Lines(cone, 25).Should().BeEmpty();
        // up to the edge of the grid the line runs along it
        var full = new double[3, 3];
        foreach (var r in Enumerable.Range(0, 9)) full[r / 3, r % 3] = 1;
        MarchingSquares.Lines(full, 0.5).Should().ContainSingle().Which.Should().HaveCount(13);
    }

    [Fact]
    public void Data_and_samples_are_both_in_every_panel()
    {
        var random = new Random(1);
        var data = Enumerable.Range(0, 600).Select(_ => Normals(random, 3)).ToArray();
        var samples = Enumerable.Range(0, 900).Select(_ => Normals(random, 3).Select(v => 1.3 * v + 0.2).ToArray()).ToArray();
        var picture = new CornerPlot(data, samples, new() { Names = ["a", "b", "c"], PanelSize = 100, Title = "three" });
        var places = CornerLayout.Of(picture.Ranges, new() { PanelSize = 100, Title = "three" }, note: false);
        using var png = Png.Decode(picture);
        for (var row = 0; row < 3; row++)
            for (var column = 0; column < 3; column++)
            {
                var (left, top) = places.Panel(row, column);
                var (blue, orange) = (png.Count(left, top, left + 100, top + 100, IsBlue), png.Count(left, top, left + 100, top + 100,
                    IsOrange));
                if (column <= row)
                    (Math.Min(blue, 40), Math.Min(orange, 40)).Should().Be((40, 40), $"panel {row}, {column} has {blue} and {orange}");
                else (blue > 200).Should().BeFalse("the upper half has the legend alone");
            }
        picture.AltText.Should().Be("three. Corner plot of a, b, c: 600 rows of data beside 900 of samples.",
            "no row is beyond the axes" + picture.AltText);
        picture.Ranges.Should().HaveCount(3);
    }

    [Fact]
    public void Many_features_show_the_first_eight_and_say_so_and_others_can_be_chosen()
    {
        var random = new Random(2);
        var data = Enumerable.Range(0, 60).Select(_ => Normals(random, 200)).ToArray();
        var picture = new CornerPlot(data);
        picture.Ranges.Should().HaveCount(8);
        picture.AltText.Should().Contain("first 8 of 200 features");
        data[3][5] = double.NaN;
        var chosen = new CornerPlot(data, options: new() { Features = [199, 0] });
        chosen.AltText.Should().Contain("x200, x1").And.NotContain("first");
        FluentActions.Invoking(() => new CornerPlot(data)).Should().Throw<ArgumentException>().WithMessage("data holds 1 of 480*NaN*");
    }

    [Fact]
    public void One_row_constant_columns_and_one_feature_are_drawn()
    {
        Png.Decode(new CornerPlot(new double[,] { { 1, 2 } })).Dispose();
        var random = new Random(3);
        var half = Enumerable.Range(0, 100).Select(_ => new[] { 5, Normals(random, 1)[0], 1e30 * random.NextDouble() }).ToArray();
        Png.Decode(new CornerPlot(half, half)).Dispose();
        Png.Decode(new CornerPlot(Normals(random, 50), Normals(random, 50))).Dispose();
        Png.Decode(new CornerPlot(new float[,] { { float.MaxValue, 0 }, { -float.MaxValue, 0 } })).Dispose();
    }

    [Fact]
    public void Samples_that_are_not_finite_are_left_out_and_rows_beyond_the_axes_counted()
    {
        var random = new Random(4);
        var data = Enumerable.Range(0, 1000).Select(_ => Normals(random, 2)).ToArray();
        var samples = Enumerable.Range(0, 1000).Select(_ => Normals(random, 2)).ToArray();
        (samples[0][0], samples[1][1], samples[2][0]) = (double.NaN, double.PositiveInfinity, 1e6);
        var picture = new CornerPlot(data, samples);
        picture.AltText.Should().Contain("left out: 2 samples").And.Contain("beyond the axes: 1 of 1998");
        picture.Ranges.Should().OnlyContain(r => r.Low > -10 && r.High < 10);
    }

    [Fact]
    public void A_tensor_and_an_array_give_one_picture_and_no_tensor_stays()
    {
        using var x = randn(80, 2);
        var array = new float[80, 2];
        x.data<float>().ToArray().CopyTo(System.Runtime.InteropServices.MemoryMarshal.CreateSpan(ref array[0, 0], 160));
        byte[] bytes = [];
        LiveTensors.ChangeOver(() => bytes = new CornerPlot(x, x).ToPng()).Should().Be(0);
        new CornerPlot(array, array).ToPng().Should().Equal(bytes);
    }

    [Fact]
    public void Wrong_arguments_are_refused()
    {
        var good = new double[4, 2];
        Refused(() => new CornerPlot(new double[0, 2]), "data has shape (0, 2)*");
        Refused(() => new CornerPlot(new double[2, 0]), "data has shape (2, 0)*");
        Refused(() => new CornerPlot(good, new double[4, 3]), "samples has 3 features and data has 2*");
        Refused(() => new CornerPlot(good, new[,] { { double.NaN, 1 } }), "None of the 1 rows of samples is finite*");
        Refused(() => new CornerPlot(good, options: new() { Names = ["a"] }),
            "Names holds 1 names, but there are 2 columns*");
        Refused(() => new CornerPlot(good, options: new() { Features = [2] }), "Features holds 2, but the data have 2*");
        Refused(() => new CornerPlot(good, options: new() { Features = [1, 1] }), "Features holds a feature twice*");
        Refused(() => new CornerPlot(good, options: new() { Features = [] }), "Features holds 0 features*");
        Refused(() => new CornerPlot(good, options: new() { PanelSize = 5 }), "PanelSize is 5*");
        Refused(() => new CornerPlot(new double[][] { [1, 2], [1] }), "Row 1 has 1 numbers*");
        FluentActions.Invoking(() => new CornerPlot(null!)).Should().Throw<ArgumentNullException>();
    }

    private static void Refused(Func<CornerPlot> make, string message) => make.Should().Throw<ArgumentException>().WithMessage(message);

    private static double[] Normals(Random random, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()))
            * Math.Cos(2 * Math.PI * random.NextDouble()))];
}
