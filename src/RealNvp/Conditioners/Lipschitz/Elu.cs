using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>x if it is positive, and eˣ − 1 otherwise: its derivative is continuous, and the second one jumps at 0.</summary>
public sealed class Elu : LipschitzActivation
{
    /// <summary>Makes the activation.</summary>
    public Elu() : base(nameof(Elu)) => RegisterComponents();

    internal override (ResidualActivation Kind, double Factor, Tensor? Beta) Kernel => (ResidualActivation.Elu, 1, null);

    internal override (Tensor Value, Tensor? Slope) At(Tensor input, bool slope) =>
        (nn.functional.elu(input, 1), slope ? input.clamp_max(Scalars.Zero).exp() : null);
}
