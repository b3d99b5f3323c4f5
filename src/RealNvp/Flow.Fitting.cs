using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

public partial class Flow
{
    /// <summary>Sends examples through the bijection for the sake of what sees them there, with fixed noise. The caller sets mode and gradients.</summary>
    internal void PassForward(Tensor x, Tensor? context)
    {
        using var scope = NewDisposeScope();
        using var session = ReversibleSession.Suspend();
        var input = Input(x, nameof(Trainer.FitLayers));
        using var random = RandomSource.Use(0, input.device);
        bijection.Forward(input, ForBijection(Features(context, input.shape[0], input.dtype, nameof(Trainer.FitLayers))));
    }
}
