using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Keeps the state of torch's default generator of the CPU, and puts it back on
/// dispose if it has changed. TorchSharp has no way to the state of a GPU's.</summary>
internal readonly struct RandomState : IDisposable
{
    private readonly Tensor state;

    private RandomState(Tensor state) => this.state = state;

    public static RandomState Keep() => new(random.get_rng_state().DetachFromDisposeScope());

    public void Dispose()
    {
        using (state)
        using (var now = random.get_rng_state())
            if (!now.bytes.SequenceEqual(state.bytes)) random.set_rng_state(state);
    }
}
