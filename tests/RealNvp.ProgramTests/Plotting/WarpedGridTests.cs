using RealNvp.Plotting;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Plotting;

public class WarpedGridTests
{
    private static readonly WarpedGridOptions Small = new() { Lines = 3, PointsPerLine = 11, PanelSize = 120 };

    [Fact]
    public void Both_grids_are_what_the_flow_makes_of_straight_lines()
    {
        using var flow = new SplineFlowModel(SplineFlowOptions.Toy2D with { Hidden = 8 }, seed: 1);
        using var x = flow.Sample(100, seed: 2);
        WarpedGrid picture = null!;
        LiveTensors.ChangeOver(() => picture = new WarpedGrid(flow, x, options: Small)).Should().Be(0);
        using var scope = NewDisposeScope();
        Same(picture.ToData, flow.Decode(PlotBox.Square(3).GridLines(3, 11).reshape(-1, 2)));
        Same(picture.ToLatents, flow.Encode(picture.DataBox.GridLines(3, 11).reshape(-1, 2)));
        (picture.DataBox.XMax - picture.DataBox.XMin).Should().BeApproximately(picture.DataBox.YMax - picture.DataBox.YMin, 1e-9,
            "the axes have one unit");
        new WarpedGrid(flow, flow.SampleArray(100, seed: 2), options: Small).ToPng().Should().Equal(picture.ToPng());
        using var png = Png.Decode(picture);
        png.Count(c => Math.Abs(c.Red - c.Blue) < 40 && c.Red is > 90 and < 200).Should().BeGreaterThan(100, "data, and their latents");
        png.Count(c => c.Blue > 150 && c.Red < 80).Should().BeGreaterThan(100, "upright lines");
        png.Count(c => c.Red > 200 && c.Blue < 100).Should().BeGreaterThan(100, "level lines");
    }

    [Fact]
    public void A_flow_without_data_and_one_with_a_context_are_drawn()
    {
        using var flow = new MafModel(MafOptions.Tabular(2) with { Hidden = 8, Layers = 2, ContextSize = 1 }, seed: 1);
        using var context = ones(1, 1);
        new WarpedGrid(flow, context: context, options: Small with { DataGrid = new(0, 1, 0, 2) }).DataBox.Should()
            .Be(new PlotBox(0, 1, 0, 2));
        FluentActions.Invoking(() => new WarpedGrid(flow, options: Small)).Should().Throw<ArgumentException>().WithMessage("*context*");
    }

    [Fact]
    public void Wrong_arguments_are_refused()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Toy2D, seed: 1);
        using var wide = new RealNvpModel(RealNvpOptions.Tabular(3), seed: 1);
        Refused(() => new WarpedGrid(wide), "*shape (3,)*2-D points*");
        Refused(() => new WarpedGrid(flow, new double[2, 3]), "data has shape (2, 3)*(N, 2)*");
        Refused(() => new WarpedGrid(flow, new[,] { { 1, double.NaN } }), "data holds 1 of 2*");
        Refused(() => new WarpedGrid(flow, options: new() { Lines = 1 }), "Lines is 1*");
        Refused(() => new WarpedGrid(flow, options: new() { PointsPerLine = 1 }), "PointsPerLine is 1*");
        Refused(() => new WarpedGrid(flow, options: new() { PanelSize = 1 }), "PanelSize is 1*");
        Refused(() => new WarpedGrid(flow, options: new() { DataGrid = new(1, 0, 0, 1) }), "DataGrid is x 1 to 0*");
        FluentActions.Invoking(() => new WarpedGrid(null!)).Should().Throw<ArgumentNullException>();
    }

    private static void Refused(Func<WarpedGrid> make, string message) => make.Should().Throw<ArgumentException>().WithMessage(message);

    private static void Same(PlotData lines, Tensor points)
    {
        lines.Shape.Should().Equal(6, 11, 2);
        lines.Numbers.ToArray().Should().Equal(points.to(float64).data<double>().ToArray());
    }
}
