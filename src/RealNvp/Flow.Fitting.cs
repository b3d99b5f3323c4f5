using RealNvp.Internal;
using RealNvp.Layers;
using static TorchSharp.torch;

namespace RealNvp;

public partial class Flow
{
    /// <summary>Sends examples through the bijection for the sake of what sees them
    /// there, with fixed noise. The caller sets mode and gradients.</summary>
    internal void PassForward(Tensor x, Tensor? context, string owner)
    {
        using var scope = NewDisposeScope();
        using var session = ReversibleSession.Suspend();
        using var random = PassState.Seed(0);
        var input = Prepared(x);
        Applied(owner, input, ForBijection(Features(context, input.dtype, owner)), wantsLogDet: false);
    }
}
