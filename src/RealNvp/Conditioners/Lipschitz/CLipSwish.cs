using RealNvp.Kernels;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>LipSwish(x) and LipSwish(−x) beside each other, over 1.004: no half of
/// the space is flattened (i-DenseNets, arXiv 2102.02694, section 3.2).</summary>
/// <remarks>The squares of both derivatives add up to 1.0079 at most, for any
/// β. State-dict key: <c>beta</c> (1), as of <see cref="LipSwish"/>.</remarks>
public sealed class CLipSwish : LipschitzActivation, IActivation
{
    private const double Divisor = LipSwish.Divisor * 1.004;

    private readonly TorchSharp.Modules.Parameter beta;

    /// <summary>Makes the activation.</summary>
    public CLipSwish() : base(nameof(CLipSwish))
    {
        beta = LipSwish.NewBeta();
        RegisterComponents();
    }

    /// <summary>2.</summary>
    public override int Outputs => 2;

    internal override (ResidualActivation Kind, double Factor, Tensor? Beta) Kernel =>
        (ResidualActivation.SwishPair, 1 / Divisor, beta);

    internal override (Tensor Value, Tensor? Slope) At(Tensor input, bool slope)
    {
        var (value, one) = LipSwish.Swish(input, beta, Divisor, slope);
        var (mirrored, other) = LipSwish.Swish(input.neg(), beta, Divisor, slope);
        return (cat([value, mirrored], 1), one is null ? null : cat([one, other!.neg()], 1));
    }

    (Tensor Value, Tensor Tangents) IActivation.Push(Tensor input, Tensor tangents)
    {
        var (value, pushed) = SwishFunction.Run(input, tangents, LipSwish.Positive(beta), 1 / Divisor);
        var (mirrored, other) = SwishFunction.Run(input.neg(), tangents.neg(), LipSwish.Positive(beta), 1 / Divisor);
        return (cat([value, mirrored], 1), cat([pushed!, other!], 2));
    }
}
