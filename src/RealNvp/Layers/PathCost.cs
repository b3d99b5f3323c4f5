using static TorchSharp.torch;

namespace RealNvp.Layers;

/// <summary>What the paths of continuous layers cost in one pass, summed over
/// the layers: with gradients, for losses. It owns its tensors.</summary>
internal sealed class PathCost(bool kinetic, bool frobenius) : IDisposable
{
    /// <summary>Whether ∫ |v|² dt is wanted.</summary>
    public bool WantsKinetic => kinetic;

    /// <summary>Whether ∫ ‖∂v/∂x‖² dt is wanted.</summary>
    public bool WantsFrobenius => frobenius;

    /// <summary>∫ |v|² dt (N); null if no layer has it.</summary>
    public Tensor? Kinetic { get; private set; }

    /// <summary>∫ ‖∂v/∂x‖² dt (N); null if no layer has it.</summary>
    public Tensor? Frobenius { get; private set; }

    public void AddKinetic(Tensor value) => Kinetic = Sum(Kinetic, value);

    public void AddFrobenius(Tensor value) => Frobenius = Sum(Frobenius, value);

    public void Dispose()
    {
        Kinetic?.Dispose();
        Frobenius?.Dispose();
    }

    // the layer's scope ends before the pass
    private static Tensor Sum(Tensor? before, Tensor value)
    {
        var sum = (before is null ? value.clone() : before.add(value, Internal.Scalars.One)).DetachFromDisposeScope();
        before?.Dispose();
        return sum;
    }
}
