using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

/// <summary>The kernel of LipSwish with tangents against plain operations.</summary>
[LeavesNoTensors]
public class SwishTests
{
    [Theory]
    [InlineData(ScalarType.Float32, 7, 2), InlineData(ScalarType.Float32, 33, 0), InlineData(ScalarType.Float64, 5, 3)]
    public void Value_tangents_and_gradients_are_those_of_plain_operations(ScalarType dtype, long width, long tangents)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        var input = cat([randn([300, width], dtype: dtype, generator: generator).mul(3),
            tensor(new[] { 0.0, 1e4, -1e4, 1e30, -1e30 }, dtype: dtype).unsqueeze(1).expand(5, width)]);
        var t = tangents == 0 ? null : randn([305, tangents, width], dtype: dtype, generator: generator);
        var results = new List<Tensor[]>();
        foreach (var on in new[] { true, false })
        {
            using var _ = KernelSwitch.Set(on, nameof(KernelSwitches.Dense));
            var (a, b, beta) = (input.clone().requires_grad_(), t?.clone().requires_grad_(),
                tensor(new[] { 0.7 }, dtype: dtype).requires_grad_());
            var (value, pushed) = SwishFunction.Run(a, b, beta, 1 / 1.1);
            using var weights = new Generator(4);
            var loss = value.narrow(0, 0, 300).mul(randn([300, width], dtype: dtype, generator: weights)).sum();
            if (pushed is not null) loss = loss.add(pushed.mul(randn(pushed.shape, dtype: dtype, generator: weights)).sum());
            loss.backward();
            results.Add([value, .. pushed is null ? (Tensor[])[] : [pushed, b!.grad!], a.grad!.narrow(0, 0, 303), beta.grad!]);
        }
        var allowed = dtype == ScalarType.Float32 ? 2e-5 : 1e-13;
        foreach (var (fast, plain) in results[0].Zip(results[1]))
        {
            var scale = plain.abs().clamp_min(1);
            fast.sub(plain).div(scale).abs().max().to(float64).item<double>().Should()
                .BeLessThan(allowed * Math.Max(1, Math.Sqrt(fast.numel() == 1 ? 300 : 1)));
        }
    }
}
