using RealNvp.Samples.Images;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Samples;

[Collection("Console")]
public class ImagesSampleTests
{
    [Fact]
    public void It_trains_resumes_and_uses_the_model()
    {
        using var folder = new TemporaryFolder();
        var output = folder.At("out");
        string[] small = ["--limit", "128", "--hidden", "4", "--blocks", "1", "--epochs", "5", "--out", output];
        Program.Main(small).Should().Be(0, "train is the default");
        foreach (var name in new[] { "model.safetensors", "checkpoint.safetensors", "training.png", "samples.png", "temperatures.png",
            "reconstructions.png", "interpolations.png" })
            new FileInfo(Path.Combine(output, name)).Length.Should().BeGreaterThan(500, "{0} was written", name);
        File.ReadAllText(Path.Combine(output, "evaluation.txt")).Should()
            .MatchRegex(@"bits/dim +\d\.\d{4}").And.MatchRegex(@"class told right +\d+\.\d %");
        Program.Main(["evaluate", "--out", output]).Should().Be(0);
        Program.Main(["sample", "--out", output, "--count", "4", "--temperature", "0.7"]).Should().Be(0);
        Program.Main(["interpolate", "--out", output, "--steps", "3"]).Should().Be(0);
    }

    [Theory]
    [InlineData("There is no model", "sample", "--out")]
    [InlineData("There is no folder", "train", "--data")]
    [InlineData("expected cpu or cuda", "train", "--device")]
    [InlineData("checkpoint.safetensors", "train", "--resume", "--out")]
    public void What_a_user_can_mend_is_one_line(string message, params string[] command)
    {
        using var folder = new TemporaryFolder();
        var (code, errors) = SampleProgramTests.Run(Program.Main, [.. command, folder.At("missing")]);
        code.Should().Be(1);
        errors.Should().Contain(message).And.StartWith("error: ").And.NotContain(" at RealNvp.");
    }
}
