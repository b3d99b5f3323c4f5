using RealNvp.Samples.Common;
using TorchSharp;

namespace RealNvp.Tests.Samples;

public class Toy2DTests
{
    public static TheoryData<string> Names => [.. Toy2D.All.Keys.Order()];

    [Fact]
    public void There_are_six_densities() =>
        Toy2D.All.Keys.Should().BeEquivalentTo("moons", "rings", "eight-gaussians", "pinwheel", "checkerboard", "two-spirals");

    [Theory]
    [MemberData(nameof(Names))]
    public void Points_fill_the_plane_from_about_minus_4_to_4(string name)
    {
        using var scope = torch.NewDisposeScope();
        var points = Toy2D.All[name](5000, 1);
        points.shape.Should().Equal(5000, 2);
        points.dtype.Should().Be(torch.ScalarType.Float32);
        points.abs().max().ToSingle().Should().BeInRange(2.8f, 4.7f);
        points.mean([0]).abs().max().ToSingle().Should().BeLessThan(0.2f);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void The_same_seed_gives_the_same_points(string name)
    {
        using var scope = torch.NewDisposeScope();
        var points = Toy2D.All[name](100, 7);
        var values = points.data<float>().ToArray();
        values.Should().Equal(Toy2D.All[name](100, 7).data<float>().ToArray());
        values.Should().NotEqual(Toy2D.All[name](100, 8).data<float>().ToArray());
        FluentActions.Invoking(() => Toy2D.All[name](0, 7)).Should().Throw<ArgumentException>().WithMessage("n is 0*");
    }

    [Fact]
    public void The_checkerboard_has_eight_full_and_eight_empty_squares()
    {
        using var points = Toy2D.Checkerboard(8000, 3);
        var counts = new int[16];
        var values = points.data<float>().ToArray();
        for (var i = 0; i < values.Length; i += 2)
            counts[4 * (int)((values[i] + 4) / 2 * 0.99999f) + (int)((values[i + 1] + 4) / 2 * 0.99999f)]++;
        counts.Count(c => c > 850).Should().Be(8);
        counts.Count(c => c < 10).Should().Be(8);
    }

    [Fact]
    public void The_rings_lie_at_their_radii()
    {
        using var scope = torch.NewDisposeScope();
        var radius = Toy2D.Rings(4000, 3).norm(1);
        var nearest = torch.stack([.. new[] { 0.75, 1.5, 2.25, 3 }.Select(r => (radius - r).abs())], 1).min(1).values;
        nearest.mean().ToSingle().Should().BeLessThan(0.08f);
    }
}
