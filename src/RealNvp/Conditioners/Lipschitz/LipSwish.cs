using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>x·σ(βx)/1.1 with β = softplus of a weight: smooth, and with a second derivative
/// that does not vanish, for log-determinants are trained by it (arXiv 1906.02735, section 3.3).</summary>
/// <remarks>1.1 is above the largest derivative of x·σ(βx), 1.0998, for any β.
/// State-dict key: <c>beta</c> (1), before softplus; 0.5 in a new one.</remarks>
public sealed class LipSwish : LipschitzActivation
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

    internal override (Tensor Value, Tensor? Slope) At(Tensor input, bool slope) => Swish(input, beta, Divisor, slope);

    internal static TorchSharp.Modules.Parameter NewBeta()
    {
        Weights.Pay(1, 1);
        return Weights.Parameter(full(1, Scalars.Half));
    }

    /// <summary>x·σ(βx)/d, and its derivative (s + βx·s·(1 − s))/d with s = σ(βx).</summary>
    internal static (Tensor Value, Tensor? Slope) Swish(Tensor x, Tensor beta, double divisor, bool slope)
    {
        var part = Scalars.Of(1 / divisor);
        var scaled = x.mul(nn.functional.logsigmoid(beta.neg()).neg());
        var s = scaled.sigmoid();
        var value = x.mul(s).mul(part);
        if (!slope) return (value, null);
        // s·(1 + βx·(1 − s)): where s is 0 or 1 the product with βx is 0, however large that is
        return (value, s.add(scaled.mul(s.mul(s.neg().add(Scalars.One, Scalars.One))), Scalars.One).mul(part));
    }
}
