using RealNvp.Internal;
using RealNvp.Kernels;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>x·σ(βx)/1.1 with β = softplus of a weight: smooth, and with a second derivative
/// that does not vanish, for log-determinants are trained by it (arXiv 1906.02735, section 3.3).</summary>
/// <remarks>1.1 is above the largest derivative of x·σ(βx), 1.0998, for any β.
/// State-dict key: <c>beta</c> (1), before softplus; 0.5 in a new one.</remarks>
public sealed class LipSwish : LipschitzActivation, IActivation
{
    /// <summary>What the activation is divided by.</summary>
    internal const double Divisor = 1.1;

    private readonly TorchSharp.Modules.Parameter beta;

    /// <summary>Makes the activation.</summary>
    public LipSwish() : base(nameof(LipSwish))
    {
        beta = NewBeta();
        RegisterComponents();
    }

    internal override (ResidualActivation Kind, double Factor, Tensor? Beta) Kernel => (ResidualActivation.Swish, 1 / Divisor, beta);

    internal override (Tensor Value, Tensor? Slope) At(Tensor input, bool slope) => Swish(input, beta, Divisor, slope);

    internal static TorchSharp.Modules.Parameter NewBeta()
    {
        Weights.Pay(1, 1);
        return Weights.Parameter(full(1, Scalars.Half));
    }

    (Tensor Value, Tensor Tangents) IActivation.Push(Tensor input, Tensor tangents)
    {
        var (value, pushed) = SwishFunction.Run(input, tangents, Positive(beta), 1 / Divisor);
        return (value, pushed!);
    }

    /// <summary>β, from the weight before softplus.</summary>
    internal static Tensor Positive(Tensor beta) => nn.functional.logsigmoid(beta.neg()).neg();

    /// <summary>x·σ(βx)/d, and its derivative (s + βx·s·(1 − s))/d with s = σ(βx).</summary>
    internal static (Tensor Value, Tensor? Slope) Swish(Tensor x, Tensor beta, double divisor, bool slope)
    {
        if (!slope) return (SwishFunction.Run(x, null, Positive(beta), 1 / divisor).Value, null);
        var part = Scalars.Of(1 / divisor);
        var scaled = x.mul(Positive(beta));
        var s = scaled.sigmoid();
        return (x.mul(s).mul(part), SwishFunction.Slope(scaled, s).mul(part));
    }
}
