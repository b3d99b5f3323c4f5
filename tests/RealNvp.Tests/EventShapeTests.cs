using TorchSharp;
namespace RealNvp.Tests;

public class EventShapeTests
{
    [Fact]
    public void Shapes_with_the_same_sizes_are_equal()
    {
        EventShape a = [3, 8, 8], b = [3, 8, 8], c = [3, 8, 4];
        a.Should().Equal(b);
        (a == b).Should().BeTrue();
        (a == c).Should().BeFalse();
        a.ToString().Should().Be("(3, 8, 8)");
        torch.zeros(a.WithBatch(2)).numel().Should().Be(2 * a.NumElements);
    }
}
