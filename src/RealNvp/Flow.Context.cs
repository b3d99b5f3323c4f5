using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public partial class Flow
{
    // the context as vectors (N, C), in the dtype of the weights; null where the flow is not conditional
    private Tensor? Features(Tensor? context, long examples, string method)
    {
        var owner = $"{GetName()}.{method}";
        if (context_encoder is not { } encoder)
        {
            Check.Context(context, ContextSize, examples, owner, Weight);
            return context;
        }
        encoder.CheckContext(context, examples, owner, values: false);
        var features = encoder.call(context!);
        return Weight is { } weight && features.dtype != weight.dtype ? features.to(weight.dtype) : features;
    }

    private Tensor? ForBijection(Tensor? features) => bijection.ContextSize > 0 ? features : null;

    private Tensor? ForBase(Tensor? features) => base_density.ContextSize > 0 ? features : null;
}
