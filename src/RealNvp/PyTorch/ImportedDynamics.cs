using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// The velocity of zuko's continuous flows, dx/dτ = f(cos ωτ, sin ωτ, x, context) from data at τ = 0 to latents at τ = 1, in our time
/// t = 1 − τ. State-dict key: <c>network.*</c>.
/// </summary>
internal sealed class ImportedDynamics : Dynamics
{
    private readonly nn.Module<Tensor, Tensor?, Tensor> network;
    private readonly Constant frequencies;

    /// <summary>Makes it.</summary>
    /// <param name="features">D.</param>
    /// <param name="network">Maps (N, 2K + D) and the context to (N, D); owned from now on.</param>
    /// <param name="frequencies">ω, K of them.</param>
    public ImportedDynamics(long features, Conditioner network, Tensor frequencies)
        : base(nameof(ImportedDynamics), [features], network.ContextSize)
    {
        this.network = network;
        var numbers = frequencies.to(float64).FetchDoubles();
        // made anew for each dtype, so that float64 has all digits whatever the dtype was before
        this.frequencies = new Constant(new SharedConstant(numbers.Length, () => tensor(numbers, [1, numbers.Length])));
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override Tensor Velocity(Tensor t, Tensor x, Tensor? context = null)
    {
        using var scope = NewDisposeScope();
        var angles = t.neg().add(Scalars.One, Scalars.One).unsqueeze(1).mul(frequencies.Value);
        return scope.MoveToOuter(network.call(cat([angles.cos(), angles.sin(), x], 1), context).neg());
    }

    /// <inheritdoc/>
    protected override void _toEpilog(ScalarType? dtype, Device? device, bool non_blocking)
    {
        base._toEpilog(dtype, device, non_blocking);
        frequencies.To(dtype, device);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) frequencies.Dispose();
        base.Dispose(disposing);
    }
}
