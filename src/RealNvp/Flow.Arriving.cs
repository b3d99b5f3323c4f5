using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>Training data for objectives that run the layers themselves.</content>
public partial class Flow
{
    /// <summary>A checked batch in the dtype that the bijection takes, and the contexts of bijection
    /// and base density as vectors. In the caller's scope; nothing waits for a device.</summary>
    internal (Tensor Input, Tensor? ForBijection, Tensor? ForBase) Arriving(Tensor x, Tensor? context, string owner)
    {
        CheckBatch(x, owner);
        if (x.shape[0] == 0) throw new ArgumentException($"{owner} needs at least one example; got an empty batch.", nameof(x));
        CheckContext(context, x.shape[0], owner, mayWait: false);
        var input = Prepared(x);
        var features = Features(context, input.dtype, owner, mayWait: false);
        return (input, ForBijection(features), ForBase(features));
    }

    /// <summary>Holds the mode of the module for a call that computes in it.</summary>
    internal EvaluationGate.Scope OwnMode() => EvaluationGate.Own(this);
}
