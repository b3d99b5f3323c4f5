using RealNvp.Checking;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Docs;

/// <summary>The code of the guide "Write your own layer" is compiled and run here, word for word.</summary>
public class LayerGuideTests
{
    private static string Guide => File.ReadAllText(Repository.At("docs", "write-your-own-layer.md")).ReplaceLineEndings("\n");

    [Fact]
    public void The_layer_of_the_guide_is_the_one_that_runs_here()
    {
        var source = File.ReadAllText(Repository.At("tests", "RealNvp.Tests", "Docs", "PlanarLayer.cs")).ReplaceLineEndings("\n");
        var code = source.Split("// guide begins\n")[1].Split("// guide ends\n")[0];
        Guide.Should().Contain("```csharp\nusing RealNvp;\nusing TorchSharp;\nusing TorchSharp.Modules;\nusing static TorchSharp.torch;\n\n" + code + "```");
        code.Split('\n').Count(line => line.Trim().Length > 1).Should().BeLessThanOrEqualTo(40, "the guide promises a layer of 40 lines");
    }

    [Fact]
    public void The_layer_of_the_guide_passes()
    {
        const string Check = "FlowCheck.Verify(() => new PlanarLayer(4), [4]).ThrowIfFailed();";
        Guide.Should().Contain(Check);
        FlowCheck.Verify(() => new PlanarLayer(4), [4]).ThrowIfFailed();
        FlowCheck.Verify(() => new PlanarLayer(1), [1]).ThrowIfFailed();
    }

    [Fact]
    public void Every_law_is_in_the_guide()
    {
        var guide = Guide;
        foreach (var law in Enum.GetNames<FlowLaw>()) guide.Should().Contain($"`{law}`");
    }
}
