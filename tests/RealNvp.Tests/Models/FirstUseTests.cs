using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Models;

/// <summary>What CudaTests runs in a process of its own.</summary>
public class FirstUseTests
{
    /// <summary>The device that is used second, as <c>cuda</c>; if it is not set, the test has nothing to say.</summary>
    public const string Variable = "REALNVP_TESTS_SECOND_DEVICE";

    [Fact]
    public void A_backward_on_the_cpu_comes_first()
    {
        var second = Environment.GetEnvironmentVariable(Variable);
        Assert.SkipWhen(second is null, "CudaTests runs it in a process of its own");
        using var scope = NewDisposeScope();
        using var model = PresetTable.Create("Tabular");
        var x = PresetTable.Examples(model.ModelOptions, 6);
        model.NegativeLogLikelihood(x).backward();
        var expected = model.parameters().Select(p => p.grad!.clone()).ToArray();
        var device = new Device(second);
        model.to(device);
        model.zero_grad();
        model.NegativeLogLikelihood(x.to(device)).backward();
        foreach (var (parameter, gradient) in model.parameters().Zip(expected))
            parameter.grad!.cpu().sub(gradient).abs().max().to(float64).item<double>().Should().BeLessThan(1e-3);
    }
}
