using RealNvp.Plotting;
using RealNvp.Tests.Infrastructure;
using SkiaSharp;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Plotting;

public class LayerPlotTests
{
    private static bool IsBad(SKColor c) => c.Red is > 160 and < 190 && c.Green < 20 && c.Blue is > 20 and < 50;

    [Fact]
    public void Each_layer_has_a_row_and_a_healthy_flow_no_red()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Toy2D with { Hidden = 8, Layers = 3 }, seed: 1);
        using var x = flow.Sample(100, seed: 2);
        LayerPlot picture = null!;
        LiveTensors.ChangeOver(() => picture = new LayerPlot(flow, x)).Should().Be(0);
        picture.Layers.Should().OnlyContain(l => !l.IsComposite && l.Output!.Count == 200 && l.LogDet!.Count == 100);
        picture.AltText.Should().Contain($"of {picture.Layers.Count} layers").And.Contain("all numbers are finite");
        using var png = Png.Decode(picture);
        png.Count(IsBad).Should().Be(0);
        png.Count(c => c.Blue > 140 && c.Red < 80).Should().BeGreaterThan(100);
    }

    [Fact]
    public void A_layer_that_gives_infinity_is_marked_and_named()
    {
        using var broken = new Chain(new Exploding(1), new Exploding(1e30f), new Exploding(1e30f), new Exploding(1));
        using var flow = new Flow([2], broken, new StandardNormal([2]));
        using var x = ones(1500, 2);
        var picture = new LayerPlot(flow, x);
        picture.Layers.Select(l => l.Output!.NotFinite).Should().Equal(0, 0, 3000, 3000);
        picture.AltText.Should().Contain($"first layer with NaN or infinity is {picture.Layers[2].Path}");
        using var png = Png.Decode(picture);
        png.Count(IsBad).Should().BeGreaterThan(500);
    }

    [Fact]
    public void Numbers_of_very_different_sizes_share_an_axis()
    {
        var wide = NumberAxis.Of([Numbers(9, 0, 0, 1, -2, 2), Numbers(9, 0, 0, 1, -2, 2), Numbers(9, 0, 1e4, 1e4, -1e8, 1e8)]);
        wide.Place(0).Should().BeApproximately(0.5, 1e-9);
        (wide.Place(2) - wide.Place(0)).Should().BeGreaterThan(0.02, "the small ones are seen too");
        wide.Ticks.Should().BeInAscendingOrder().And.Contain([-1e8, 0, 1e8]).And.HaveCountLessThan(12);
        var plain = NumberAxis.Of([Numbers(9, 0, 0, 1, -2, 4)]);
        plain.Place(1).Should().BeApproximately((plain.Place(0) + plain.Place(2)) / 2, 1e-9);
        plain.Ticks.Should().BeInAscendingOrder().And.Contain(2);
        NumberAxis.Of([Numbers(1, 0, 0, 0, 0, 0)]).Ticks.Should().NotBeEmpty();
        NumberAxis.Of([]).Place(0).Should().Be(0.5);
    }

    [Fact]
    public void Wrong_arguments_are_refused()
    {
        FluentActions.Invoking(() => new LayerPlot([])).Should().Throw<ArgumentException>().WithMessage("statistics holds no layer*");
        FluentActions.Invoking(() => new LayerPlot(null!)).Should().Throw<ArgumentNullException>();
        using var flow = new RealNvpModel(RealNvpOptions.Toy2D, seed: 1);
        using var three = ones(4, 3);
        using var two = ones(4, 2);
        FluentActions.Invoking(() => new LayerPlot(flow, three)).Should().Throw<ArgumentException>()
            .WithMessage("x has shape (4, 3)*shape (2,)*");
        FluentActions.Invoking(() => new LayerPlot(flow, two, options: new() { Width = 1 })).Should().Throw<ArgumentException>()
            .WithMessage("Width is 1*");
    }

    private sealed class Exploding : Bijection
    {
        private readonly float factor;

        public Exploding(float factor) : base(nameof(Exploding), [2])
        {
            this.factor = factor;
            RegisterComponents();
        }

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) =>
            (x.mul(factor), full(x.size(0), 2 * MathF.Log(factor), dtype: x.dtype, device: x.device));

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) =>
            (z.div(factor), full(z.size(0), -2 * MathF.Log(factor), dtype: z.dtype, device: z.device));
    }

    private static NumberSummary Numbers(long count, long notFinite, double mean, double deviation, double smallest, double largest) =>
        new()
    {
        Count = count, NotFinite = notFinite, Mean = mean, StandardDeviation = deviation, Smallest = smallest, Largest = largest,
    };
}
