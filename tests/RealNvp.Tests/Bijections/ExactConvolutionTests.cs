using RealNvp.Internal;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections;

public sealed class ExactConvolutionTests
{
    [Theory, InlineData(1, 1), InlineData(3, 3), InlineData(2, 3)]
    public void Products_give_what_a_convolution_gives_and_the_same_gradients(long height, long width)
    {
        using var scope = NewDisposeScope();
        var x = randn([2, 3, 6, 7], dtype: float64).requires_grad_();
        var kernel = randn([4, 3, height, width], dtype: float64).requires_grad_();
        var weights = randn([2, 4, 6 - height + 1, 7 - width + 1], dtype: float64);
        var results = new List<Tensor[]>();
        foreach (var apply in new Func<Tensor, Tensor, Tensor>[] { (a, b) => nn.functional.conv2d(a, b), ExactConvolution.ByProducts })
        {
            (x.grad, kernel.grad) = (null, null);
            var y = apply(x, kernel);
            y.mul(weights).sum().backward();
            results.Add([y, x.grad!, kernel.grad!]);
        }
        foreach (var (expected, actual) in results[0].Zip(results[1]))
            actual.sub(expected).abs().max().item<double>().Should().BeLessThan(1e-12);
    }

    /// <summary>On a GPU convolutions round to TF32, so the maps of bijections and
    /// densities go through <see cref="ExactConvolution"/>; networks are free.</summary>
    [Fact]
    public void No_bijection_transformer_or_density_calls_a_convolution_itself()
    {
        foreach (var folder in new[] { "Bijections", "Transformers", "Densities" })
            foreach (var file in Directory.EnumerateFiles(Path.Combine(Repository.Root, "src", "RealNvp", folder), "*.cs",
                SearchOption.AllDirectories))
                foreach (var line in File.ReadLines(file).Where(l => !l.TrimStart().StartsWith("//", StringComparison.Ordinal)))
                    System.Text.RegularExpressions.Regex.IsMatch(line, @"\bconv(_transpose)?[123]d\(|nn\.Conv").Should()
                        .BeFalse($"{Path.GetFileName(file)}: {line.Trim()}");
    }
}
