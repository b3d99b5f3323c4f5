using RealNvp.Plotting;
using RealNvp.Tests.Infrastructure;
using SkiaSharp;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Plotting;

public class DensityPanelsTests
{
    // planes of 100 x 100 pixels
    private static readonly DensityPanelsOptions Small = new() { PanelWidth = 100, Box = new(0, 4, 0, 4) };

    // a log-density of 0 at most has the number 1 at its bar of colours
    private static PanelLayout Places(int panels) => PanelLayout.Of(Small, panels, "1");

    [Fact]
    public void Each_part_adds_a_panel()
    {
        using var points = rand(20, 2);
        using var density = zeros(3, 3);
        using var lines = Small.Box.GridLines(3, 5);
        new DensityPanels(points, density, options: Small).Width.Should().Be(Places(2).Width);
        new DensityPanels(points, density, points, options: Small).Width.Should().Be(Places(3).Width);
        new DensityPanels(points, density, points, lines, Small).Width.Should().Be(Places(4).Width);
        Places(3).Width.Should().BeGreaterThan(Places(2).Width + 100);
    }

    [Fact]
    public void The_first_row_of_the_density_is_the_lowest_and_the_first_column_the_left_one()
    {
        using var points = full(new long[] { 1, 2 }, 0.5f);
        using var density = full(new long[] { 4, 4 }, double.NegativeInfinity);
        using (no_grad()) density[0, 3] = 0;
        using var png = Png.Decode(new DensityPanels(points, density, options: Small));
        var ((left, top), (dataLeft, _)) = (Places(2).Plane(1), Places(2).Plane(0));
        Brightness(png.GetPixel(left + 87, top + 87)).Should().BeGreaterThan(450,
            "the lower right cell has the bright end of viridis, 521, and the others the dark one, 153");
        Brightness(png.GetPixel(left + 12, top + 87)).Should().BeLessThan(160);
        Brightness(png.GetPixel(left + 87, top + 12)).Should().BeLessThan(160);
        Brightness(png.GetPixel(left + 12, top + 12)).Should().BeLessThan(160);
        png.Count(dataLeft + 5, top + 80, dataLeft + 20, top + 95, c => c.Blue > c.Red + 50).Should().BeGreaterThan(5,
            "the data point at (0.5, 0.5)");
    }

    [Fact]
    public void A_function_gives_the_picture_of_its_values_on_the_cell_centres()
    {
        using var points = rand(20, 2, dtype: float64);
        static Tensor Log(Tensor x) => -(x - 1).pow(2).sum(1);
        var options = Small with { Resolution = 150 };
        using var scope = NewDisposeScope();
        var grid = Log(options.Box.CellCentres(150, 150).to(float64)).reshape(150, 150);
        List<(long, ScalarType)> calls = [];
        var picture = new DensityPanels(points, x =>
        {
            calls.Add((x.size(0), x.dtype));
            return Log(x);
        }, options: options);
        picture.ToPng().Should().Equal(new DensityPanels(points, grid, options: options).ToPng());
        calls.Should().Equal((16_384, ScalarType.Float64), (150 * 150 - 16_384, ScalarType.Float64));
    }

    [Fact]
    public void Both_axes_have_the_same_unit()
    {
        using var points = rand(5, 2);
        using var density = zeros(2, 2);
        var tall = new DensityPanels(points, density, options: new() { PanelWidth = 100, Box = new(0, 1, 0, 3) });
        var square = new DensityPanels(points, density, options: Small);
        (tall.Height - square.Height).Should().Be(200);
    }

    [Fact]
    public void Samples_and_lines_that_leave_the_plane_are_drawn_as_far_as_they_go()
    {
        using var points = rand(20, 2);
        using var density = zeros(2, 2);
        using var samples = tensor(new[] { 1f, 1, float.NaN, 2, 1e30f, 1e30f }).reshape(3, 2);
        using var lines = tensor(new[] { 0f, 2, 2, 2, float.NaN, 2, 1e30f, -1e30f, 2, 0, 2, 4 }).reshape(1, 6, 2);
        using var png = Png.Decode(new DensityPanels(points, density, samples, lines, Small));
        var (left, top) = Places(4).Plane(3);
        png.Count(left + 2, top + 45, left + 48, top + 55, IsFirst).Should().BeGreaterThan(30, "the level line up to the gap");
        png.Count(left + 45, top + 2, left + 55, top + 98, IsFirst).Should().BeGreaterThan(60, "the upright line after it");
    }

    [Fact]
    public void Wrong_arguments_are_refused()
    {
        using var points = rand(20, 2);
        using var density = zeros(2, 2);
        using var three = rand(20, 3);
        using var nan = full(new long[] { 2, 2 }, float.NaN);
        FluentActions.Invoking(() => new DensityPanels(three, density)).Should().Throw<ArgumentException>()
            .WithMessage("data has shape (20, 3)*(N, 2)*");
        FluentActions.Invoking(() => new DensityPanels(points, points[0])).Should().Throw<ArgumentException>()
            .WithMessage("logDensity has shape (2,)*");
        FluentActions.Invoking(() => new DensityPanels(points, nan)).Should().Throw<ArgumentException>()
            .WithMessage("logDensity holds 4 of 4*NaN*");
        FluentActions.Invoking(() => new DensityPanels(points, x => x.alias())).Should().Throw<ArgumentException>()
            .WithMessage("logDensity returned shape (16384, 2)*");
        FluentActions.Invoking(() => new DensityPanels(points, density, three)).Should().Throw<ArgumentException>()
            .WithMessage("samples has shape*");
        FluentActions.Invoking(() => new DensityPanels(points, density, points, points)).Should().Throw<ArgumentException>()
            .WithMessage("gridLines has shape*(lines, points, 2)*");
        FluentActions.Invoking(() => new DensityPanels(points, density, options: new() { Box = new(1, 0, 0, 1) })).Should()
            .Throw<ArgumentException>().WithMessage("Box is x 1 to 0*");
    }

    [Fact]
    public void Grid_lines_run_across_the_box_first_upright_then_level()
    {
        using var lines = new PlotBox(0, 2, 10, 14).GridLines(3, 5);
        lines.shape.Should().Equal(6, 5, 2);
        lines[1, 4].data<float>().ToArray().Should().Equal(1, 14);
        lines[3, 4].data<float>().ToArray().Should().Equal(2, 10);
        using var centres = new PlotBox(0, 2, 10, 14).CellCentres(2, 4);
        centres.shape.Should().Equal(8, 2);
        centres[0].data<float>().ToArray().Should().Equal(0.25f, 11);
        centres[5].data<float>().ToArray().Should().Equal(0.75f, 13);
    }

    [Fact]
    public void The_log_density_of_a_flow_a_density_and_a_distribution_are_taken_as_they_are()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Toy2D with { Hidden = 8, Layers = 2 }, seed: 1);
        // a new flow is the normal density
        using var normal = new StudentT([2], 3);
        using var x = flow.Sample(30, seed: 2);
        using var samples = flow.Sample(20, seed: 3);
        var options = Small with { Resolution = 20 };
        var expected = new DensityPanels(x, p => flow.LogProb(p), samples, options: options).ToPng();
        new DensityPanels(x, flow.LogProb, samples, options: options).ToPng().Should().Equal(expected);
        byte[] standard = [];
        LiveTensors.ChangeOver(() => standard = new DensityPanels(x, normal.LogProb, samples, options: options).ToPng()).Should().Be(0);
        standard.Should().NotEqual(expected).And.Equal(new DensityPanels(x, p => normal.LogProb(p), samples, options: options).ToPng());
    }

    [Fact]
    public void A_flow_alone_gives_all_four_panels()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Toy2D with { Hidden = 8, Layers = 2 }, seed: 1);
        using var x = flow.Sample(30, seed: 2);
        var options = Small with { Resolution = 20 };
        DensityPanels picture = null!;
        LiveTensors.ChangeOver(() => picture = new DensityPanels(flow, x, options: options)).Should().Be(0);
        picture.AltText.Should().Contain("30 points of the data").And.Contain("samples of the model, a grid");
        using var scope = NewDisposeScope();
        var grid = PlotBox.Square(3).GridLines();
        var warped = flow.Decode(grid.reshape(-1, 2)).reshape(grid.shape);
        using var same = Png.Decode(new DensityPanels(x, flow.LogProb, flow.Sample(30, seed: 0), warped, options));
        using var png = Png.Decode(picture);
        var (left, top) = Places(4).Plane(3);
        foreach (var (column, row) in Pixels(0, 0, left, png.Height)) png.GetPixel(column, row).Should().Be(same.GetPixel(column, row));
        Pixels(left, top, left + 100, top + 100).Where(p => IsLine(same.GetPixel(p.X, p.Y)) && !IsLine(png.GetPixel(p.X, p.Y)))
            .Should().BeEmpty("the grid is where its lines are");
        png.Count(left, top, left + 100, top + 100, IsFirst).Should().BeGreaterThan(50, "upright lines have a colour");
        png.Count(left, top, left + 100, top + 100, IsSecond).Should().BeGreaterThan(50, "level lines have another one");
        same.Count(left, top, left + 100, top + 100, IsFirst).Should().BeGreaterThan(50);
        same.Count(left, top, left + 100, top + 100, IsSecond).Should().Be(0, "a caller's lines, which may be paths, have one colour");
        new DensityPanels(flow, flow.SampleArray(30, seed: 2), options: options).ToPng().Should().Equal(picture.ToPng(),
            "an array does as well");
        using var three = new RealNvpModel(RealNvpOptions.Tabular(3), seed: 1);
        FluentActions.Invoking(() => new DensityPanels(three, x)).Should().Throw<ArgumentException>()
            .WithMessage("*shape (3,)*2-D points*CornerPlot*");
    }

    [Fact]
    public void A_conditional_density_is_drawn_under_one_context()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Toy2D with { Hidden = 8, Layers = 2, ContextSize = 3 }, seed: 1);
        using var context = tensor(new[] { 1f, 2, 3 }).reshape(1, 3);
        using var x = flow.Sample(30, context, seed: 2).reshape(30, 2);
        var options = Small with { Resolution = 20 };
        var expected = new DensityPanels(x, p => flow.LogProb(p, context.expand(p.size(0), 3)), options: options).ToPng();
        new DensityPanels(x, flow.LogProb, context: context, options: options).ToPng().Should().Equal(expected);
        new DensityPanels(x, (p, c) => flow.LogProb(p, c), context: context, options: options).ToPng().Should().Equal(expected);
        new DensityPanels(flow, x, context, options: options).AltText.Should().Contain("samples of the model, a grid");
        new DensityPanels(flow, x, new double[,] { { 1, 2, 3 } }, options: options).ToPng().Should()
            .Equal(new DensityPanels(flow, x, context, options: options).ToPng(), "an array does as well");
        using var two = zeros(2, 3);
        FluentActions.Invoking(() => new DensityPanels(flow, x, two)).Should().Throw<ArgumentException>()
            .WithMessage("context has shape (2, 3); expected one context*");
    }

    private static bool IsFirst(SKColor c) => c.Blue > c.Red + 50;

    private static bool IsSecond(SKColor c) => c.Red > c.Blue + 50;

    private static bool IsLine(SKColor c) => IsFirst(c) || IsSecond(c) || Brightness(c) < 500;

    private static IEnumerable<(int X, int Y)> Pixels(int left, int top, int right, int bottom) =>
        from y in Enumerable.Range(top, bottom - top) from x in Enumerable.Range(left, right - left) select (x, y);

    private static int Brightness(SKColor c) => c.Red + c.Green + c.Blue;
}
