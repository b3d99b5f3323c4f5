using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public partial class Flow
{
    // the context as vectors (N, C), in the dtype of the examples; null where the flow is not conditional. Bijection and density check dtype and device
    private Tensor? Features(Tensor? context, long examples, ScalarType dtype, string method)
    {
        var owner = $"{GetName()}.{method}";
        if (context_encoder is not { } encoder)
        {
            Check.Context(context, ContextSize, examples, owner, null);
            return context is null ? null : InWeightDtype(context);
        }
        encoder.CheckContext(context, examples, owner, values: false);
        var features = encoder.call(context!);
        return features.dtype == WeightDtype(dtype) ? features : features.to(WeightDtype(dtype));
    }

    private Tensor? ForBijection(Tensor? features) => bijection.ContextSize > 0 ? features : null;

    private Tensor? ForBase(Tensor? features) => base_density.ContextSize > 0 ? features : null;
}
