using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

/// <summary>Inputs of an elementwise map and gradients of its results, for its kernel and for its reference.</summary>
internal sealed record TransformerData(Tensor X, Tensor Parameters, Tensor OfValue, Tensor OfLog, Action<bool> Switch)
{
    public static readonly string[] Names = ["value", "log-derivative", "gradient of the input", "gradient of the parameters"];

    public TransformerData To(ScalarType dtype) => new(X.to(dtype), Parameters.to(dtype), OfValue.to(dtype), OfLog.to(dtype), Switch);

    /// <summary>Value, log-derivative and the gradients of input and parameters.</summary>
    public Tensor[] Run(ScalarTransformer transformer, bool inverse, bool kernel)
    {
        var (x, parameters, value, logDerivative) = Apply(transformer, inverse, kernel);
        autograd.backward([value, logDerivative], [OfValue, OfLog]);
        return [value.detach(), logDerivative.detach(), x.grad!, parameters.grad!];
    }

    /// <summary>The gradients of a function of the gradients.</summary>
    public Tensor[] Second(ScalarTransformer transformer, bool inverse, bool kernel)
    {
        var (x, parameters, value, logDerivative) = Apply(transformer, inverse, kernel);
        var upstream = OfValue.clone().requires_grad_();
        var first = autograd.grad([value, logDerivative], [x, parameters], [upstream, OfLog], retain_graph: true, create_graph: true);
        first[0].mul(OfLog).sum().add(first[1].pow(2).sum()).backward();
        return [first[0].detach(), first[1].detach(), x.grad!, parameters.grad!, upstream.grad!];
    }

    private (Tensor X, Tensor Parameters, Tensor Value, Tensor LogDerivative) Apply(ScalarTransformer transformer, bool inverse,
        bool kernel)
    {
        Switch(kernel);
        // views keep their strides and have gradients of their own
        var (x, parameters) = (X.detach().requires_grad_(), Parameters.detach().requires_grad_());
        var (value, logDerivative) = inverse ? transformer.Inverse(x, parameters) : transformer.Forward(x, parameters);
        return (x, parameters, value, logDerivative!);
    }

    /// <summary>Numbers of a shape, those of x normal around <paramref name="centre"/>.</summary>
    public static TransformerData Make(ScalarTransformer transformer, long[] shape, ScalarType dtype, double spread, double centre,
        double width, Action<bool> kernels)
    {
        using var generator = new Generator(7);
        long[] all = [shape[0], shape[1] * transformer.ParametersPerElement, .. shape[2..]];
        return new(randn(shape, dtype: dtype, generator: generator).mul(width).add(centre),
            randn(all, dtype: dtype, generator: generator).mul(spread),
            randn(shape, dtype: dtype, generator: generator), randn(shape, dtype: dtype, generator: generator), kernels);
    }

    /// <summary>Fails where threads that differentiate one map at once get other gradients than one alone.</summary>
    public void HoldsOnThreads(ScalarTransformer transformer, bool inverse)
    {
        var expected = Run(transformer, inverse, kernel: true)[3];
        var wrong = 0;
        var threads = Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            for (var i = 0; i < 50; i++)
            {
                using var own = NewDisposeScope();
                if (!Run(transformer, inverse, kernel: true)[3].eq(expected).all().item<bool>()) Interlocked.Increment(ref wrong);
            }
        })).ToArray();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
        wrong.Should().Be(0);
    }

    public static void Agree(Tensor[] found, Tensor[] expected, double relative)
    {
        for (var i = 0; i < expected.Length; i++)
        {
            found[i].shape.Should().Equal(expected[i].shape);
            if (expected[i].numel() == 0) continue;
            var scale = Math.Max(1, expected[i].abs().max().to(float64).item<double>());
            found[i].sub(expected[i]).abs().max().to(float64).item<double>().Should().BeLessThanOrEqualTo(relative * scale, "result {0}",
                i);
        }
    }

    public static double MeanError(Tensor found, Tensor exact) => found.to(float64).sub(exact).abs().mean().item<double>();
}
