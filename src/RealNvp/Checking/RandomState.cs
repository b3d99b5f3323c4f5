using static TorchSharp.torch;

namespace RealNvp.Checking;

/// <summary>Keeps the state of torch's default generator, and puts it back on dispose.</summary>
internal readonly struct RandomState : IDisposable
{
    private readonly Tensor state;

    private RandomState(Tensor state) => this.state = state;

    public static RandomState Keep() => new(random.get_rng_state().DetachFromDisposeScope());

    public void Dispose()
    {
        random.set_rng_state(state);
        state.Dispose();
    }
}
