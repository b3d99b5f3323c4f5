using System.Text.RegularExpressions;
using RealNvp.Tests.Infrastructure;
using static TorchSharp.torch;

namespace RealNvp.Tests.Docs;

/// <summary>The README's code is compiled and run here, word for word.</summary>
public partial class ReadmeTests
{
    [Fact]
    public void The_code_of_the_readme_is_the_code_that_runs_here()
    {
        var source = File.ReadAllText(Path.Combine(Repository.Root, "tests", "RealNvp.Tests", "Docs", "ReadmeTests.cs"));
        var body = Body().Match(source.ReplaceLineEndings("\n")).Groups[1].Value;
        var code = string.Join("\n", body.Split('\n').Select(line => line.Length > 8 ? line[8..] : "")).Trim();
        File.ReadAllText(Path.Combine(Repository.Root, "README.md")).ReplaceLineEndings("\n").Should().Contain("```csharp\nusing RealNvp;\nusing static TorchSharp.torch;\n\n" + code + "\n```");
    }

    [Fact]
    public void The_code_of_the_readme_learns_the_circle()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var before = Directory.GetCurrentDirectory();
        Directory.SetCurrentDirectory(Path.GetDirectoryName(folder.At("x"))!);
        try { Quickstart().Should().BeGreaterThan(-1.3, "a Gaussian of the same spread reaches -2.1 nats"); }
        finally { Directory.SetCurrentDirectory(before); }
    }

    private static double Quickstart()
    {
        manual_seed(0).Dispose();
        // README begins
        // 2,000 points on a noisy circle
        var angle = rand(2000) * (2 * Math.PI);
        var x = stack([angle.cos(), angle.sin()], 1) + (0.1 * randn(2000, 2));

        using var flow = new RealNvpModel(RealNvpOptions.Toy2D, seed: 0);
        using var trainer = new Trainer(flow, new TrainingOptions { Epochs = 20 });
        var result = trainer.Fit(TrainingData.From(x));
        Console.WriteLine($"held-out log-likelihood: {-result.History[^1].ValidationLoss:F2} nats a point");

        using var logProb = flow.LogProb(x);               // (2000): exact log-densities
        using var samples = flow.Sample(1000, seed: 1);    // (1000, 2): exact samples
        using var z = flow.Encode(x);                      // (2000, 2): latents, which are standard normal
        using var back = flow.Decode(z);                   // x again

        flow.Save("circle.safetensors");                   // one file that describes itself
        using var again = RealNvpModel.Load("circle.safetensors");
        // README ends
        back.sub(x).abs().max().item<float>().Should().BeLessThan(1e-4f);
        samples.shape.Should().Equal(1000, 2);
        again.LogProb(x).equal(logProb).all().item<bool>().Should().BeTrue();
        return -result.History[^1].ValidationLoss!.Value;
    }

    [GeneratedRegex("// README begins\n(.*?)        // README ends", RegexOptions.Singleline)]
    private static partial Regex Body();
}
