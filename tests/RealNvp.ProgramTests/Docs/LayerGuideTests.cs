using RealNvp.Checking;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Docs;

/// <summary>What the guide "Write your own layer" promises; its code runs with that of the other documents.</summary>
public class LayerGuideTests
{
    private const string Document = "docs/write-your-own-layer.md";

    [Fact]
    public void The_layer_of_the_guide_has_the_length_that_it_promises() =>
        DocumentProgram.Blocks(Document).First().Split('\n').SkipWhile(l => !l.StartsWith("/// <summary>", StringComparison.Ordinal))
            .Count(l => l.Trim().Length > 1).Should().BeLessThanOrEqualTo(40);

    [Fact]
    public void The_guide_proves_its_layer() => DocumentProgram.Blocks(Document).Should()
        .Contain(b => b.Contains("FlowCheck.Verify(() => new PlanarLayer(4), [4]).ThrowIfFailed();"));

    [Fact]
    public void Every_law_is_in_the_guide()
    {
        var guide = File.ReadAllText(Repository.At(Document));
        foreach (var law in Enum.GetNames<FlowLaw>()) guide.Should().Contain($"`{law}`");
    }
}
