using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Whether all steps of a training so far were finite, as a tensor on the device. After
/// the first one that is not, a step changes nothing, so that the host may ask later.
/// </summary>
/// <remarks>Its methods need a dispose scope and grad mode off. No number is fetched here.</remarks>
internal sealed class StepGate : IDisposable
{
    // 1e-6 as in PyTorch's clip_grad_norm_
    private static readonly Scalar small = Scalars.Of(1e-6);
    private readonly Dictionary<(ScalarType Type, double Open, double Closed), Tensor> factors = [];
    private readonly Dictionary<(ScalarType Type, double Value), Tensor> constants = [];
    private readonly Tensor open;

    public StepGate(Device device)
    {
        open = ones([], ScalarType.Bool, device).DetachFromDisposeScope();
    }

    /// <summary>True without dimensions, or false after a step that was not finite.</summary>
    public Tensor Open => open;

    /// <summary>What clips the gradients of this step, without dimensions: 1, or more
    /// where they are too large. The end of the caller's scope ends it.</summary>
    public Tensor Divisor { get; private set; } = null!;

    /// <summary>Begins a step: closes for good where the loss or the norm is not finite, and computes what depends on the norm.</summary>
    /// <param name="loss">Without dimensions.</param>
    /// <param name="norm">Of all gradients, without dimensions.</param>
    /// <param name="maxNorm">What gradients are clipped to; null for no clipping.</param>
    public void Pass(Tensor loss, Tensor norm, double? maxNorm)
    {
        open.logical_and_(loss.isfinite()).logical_and_(norm.isfinite());
        factors.Clear();
        Divisor = maxNorm is { } most ? norm.to(ScalarType.Float32).add(small, Scalars.One).mul(Scalars.Of(1 / most)).clamp_min(Scalars.One)
            : Constant(ScalarType.Float32, 1);
    }

    /// <summary>One number or the other, without dimensions; made once a step. It holds to the end of the caller's scope.</summary>
    public Tensor Factor(ScalarType type, double whenOpen, double whenClosed)
    {
        if (factors.TryGetValue((type, whenOpen, whenClosed), out var factor)) return factor;
        return factors[(type, whenOpen, whenClosed)] = Constant(type, whenOpen).where(open, Constant(type, whenClosed));
    }

    /// <summary>The tensor while open, else zeros, whatever it holds.</summary>
    public Tensor Select(Tensor value) => value.where(open, Constant(value.dtype, 0));

    /// <summary>Puts earlier values back in place where closed.</summary>
    public void Keep(Tensor live, Tensor earlier) => live.copy_(live.where(open, earlier));

    public void Dispose()
    {
        open.Dispose();
        foreach (var constant in constants.Values) constant.Dispose();
    }

    private Tensor Constant(ScalarType type, double value) => constants.TryGetValue((type, value), out var constant)
        ? constant
        : constants[(type, value)] = full([], Scalars.Of(value), type, open.device).DetachFromDisposeScope();
}
