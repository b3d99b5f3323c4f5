using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Laws;

/// <summary>log|det J| of a map at one example in two independent ways: by central differences and by autograd, then slogdet.</summary>
public static class Jacobians
{
    /// <summary>By central differences of fourth order: (8 (f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h)))/12h for each variable.</summary>
    public static double Numerical(Func<Tensor, Tensor> map, Tensor example, double h = 2e-5)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var n = example.numel();
        var steps = eye(n, dtype: float64).reshape([n, .. example.shape]).mul(h);
        Tensor At(double factor) => map(example.unsqueeze(0).add(steps.mul(factor))).flatten(1);
        var jacobian = At(1).sub(At(-1)).mul(8).sub(At(2).sub(At(-2))).div(12 * h);
        return LogAbsDet(jacobian);
    }

    /// <summary>By one backward pass over n copies of the example, copy i asking for row i of the Jacobian.</summary>
    public static double Autograd(Func<Tensor, Tensor> map, Tensor example)
    {
        using var scope = NewDisposeScope();
        var n = example.numel();
        var copies = example.unsqueeze(0).expand([n, .. example.shape]).clone().requires_grad_(true);
        map(copies).flatten(1).diagonal().sum().backward();
        return LogAbsDet(copies.grad!.reshape(n, n));
    }

    private static double LogAbsDet(Tensor jacobian)
    {
        var (sign, logDet) = linalg.slogdet(jacobian);
        sign.item<double>().Should().NotBe(0);
        return logDet.item<double>();
    }
}
