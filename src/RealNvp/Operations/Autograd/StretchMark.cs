using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>The identity; its backward tells a <see cref="BackwardWatch"/> that all that came after it is done.</summary>
internal sealed class StretchMark : KernelFunction<StretchMark>
{
    private const string WatchKey = "watch", StretchKey = "stretch";

    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        context.save_data(WatchKey, arguments[1]);
        context.save_data(StretchKey, arguments[2]);
        context.save_for_backward([(Tensor)arguments[0]]);
        return [((Tensor)arguments[0]).alias()];
    }

    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        ((BackwardWatch)context.get_data(WatchKey)).Reached((int)context.get_data(StretchKey));
        return [gradients[0], null, null];
    }
}
