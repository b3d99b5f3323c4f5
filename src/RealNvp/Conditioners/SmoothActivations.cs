using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The functions of <see cref="SmoothActivation"/> and their derivatives.</summary>
internal static class SmoothActivations
{
    // Klambauer et al., arXiv 1706.02515, equation 14
    private const double Alpha = 1.6732632423543772, Lambda = 1.0507009873554805;
    private static readonly Scalar lambda = Scalars.Of(Lambda), scaled = Scalars.Of(Lambda * Alpha);

    // one for each, so that nothing is allocated for a solve
    private static readonly Func<Tensor, (Tensor Value, Tensor Slope)>[] functions = [.. Enum.GetValues<SmoothActivation>()
        .Select(a => (Func<Tensor, (Tensor Value, Tensor Slope)>)(h => WithSlope(a, h)))];

    /// <summary>What kernels call it.</summary>
    public static Kernels.SmoothFunction Kernel(SmoothActivation activation) => activation switch
    {
        SmoothActivation.Tanh => Kernels.SmoothFunction.Tanh,
        SmoothActivation.Softplus => Kernels.SmoothFunction.Softplus,
        SmoothActivation.Silu => Kernels.SmoothFunction.Silu,
        SmoothActivation.Elu => Kernels.SmoothFunction.Elu,
        SmoothActivation.Selu => Kernels.SmoothFunction.Selu,
        _ => throw Unknown(activation),
    };

    /// <summary>The value. The caller disposes it.</summary>
    public static Tensor Value(SmoothActivation activation, Tensor h)
    {
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(activation switch
        {
            SmoothActivation.Tanh => h.tanh(),
            SmoothActivation.Softplus => Softplus(h),
            SmoothActivation.Silu => h.mul(h.sigmoid()),
            SmoothActivation.Elu => Positive(h).add(Negative(h).expm1(), Scalars.One),
            SmoothActivation.Selu => Positive(h).mul(lambda).add(Negative(h).expm1(), scaled),
            _ => throw Unknown(activation),
        });
    }

    /// <summary>The value and the derivative. The caller disposes both.</summary>
    public static (Tensor Value, Tensor Slope) WithSlope(SmoothActivation activation, Tensor h)
    {
        using var scope = NewDisposeScope();
        var (value, slope) = Both(activation, h);
        return (scope.MoveToOuter(value), scope.MoveToOuter(slope));
    }

    /// <summary>The same as a function.</summary>
    public static Func<Tensor, (Tensor Value, Tensor Slope)> WithSlope(SmoothActivation activation) => functions[(int)activation];

    public static SmoothActivation Check(SmoothActivation activation, string parameter) =>
        Enum.IsDefined(activation) ? activation
            : throw new ArgumentOutOfRangeException(parameter, activation, $"There is no such {nameof(SmoothActivation)}.");

    private static (Tensor Value, Tensor Slope) Both(SmoothActivation activation, Tensor h)
    {
        switch (activation)
        {
            case SmoothActivation.Tanh:
                var y = h.tanh();
                return (y, y.mul(y).neg().add(Scalars.One, Scalars.One));
            case SmoothActivation.Softplus:
                return (Softplus(h), h.sigmoid());
            case SmoothActivation.Silu:
                var gate = h.sigmoid();
                var product = h.mul(gate);
                // σ + hσ(1 − σ)
                return (product, gate.add(product, Scalars.One).sub(product.mul(gate)));
            case SmoothActivation.Elu:
                var below = Negative(h).expm1();
                // below 0 it is expm1 + 1, and above it 0 + 1
                return (Positive(h).add(below, Scalars.One), below.add(Scalars.One, Scalars.One));
            case SmoothActivation.Selu:
                var part = Negative(h).expm1().mul(scaled);
                return (Positive(h).mul(lambda).add(part, Scalars.One), part.add(scaled, Scalars.One).masked_fill(h.gt(Scalars.Zero),
                    lambda));
            default:
                throw Unknown(activation);
        }
    }

    // finite for all h, and with the right derivative at 0, where those of relu and |h| are none
    private static Tensor Softplus(Tensor h) => nn.functional.logsigmoid(h.neg()).neg();

    // at 0 autograd gives 0 for this one and 1 for the other: 1 for their sum
    private static Tensor Positive(Tensor h) => h.relu();

    private static Tensor Negative(Tensor h) => h.clamp_max(Scalars.Zero);

    private static ArgumentOutOfRangeException Unknown(SmoothActivation activation) =>
        new(nameof(activation), activation, $"There is no such {nameof(SmoothActivation)}.");
}
