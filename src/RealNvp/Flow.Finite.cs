using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public partial class Flow
{
    /// <summary>Gives the result back where it is finite; else runs the call again, watched, and names the first layer at fault.</summary>
    private Tensor Finite(Tensor result, string method, Action again)
    {
        bool finite;
        using (NewDisposeScope())
        using (no_grad())
            // outside of a box, minus infinity is the log-density
            finite = (base_density.HasBoundedSupport ? result.isfinite().logical_or(result.isneginf()) : result.isfinite()).all().Fetch<bool>();
        if (finite) return result;
        var owner = $"{GetName()}.{method}";
        if (Diagnosis.FirstParameter(this, gradients: false) is { } weight)
            throw new NonFiniteException($"{owner} cannot give a result: the weight {weight} is not finite. Load or train the model again.", weight);
        var fault = Diagnosis.FirstLayer(this, again);
        var layer = fault?.Layer ?? nameof(base_density);
        var what = fault is { } f ? $"the first layer at fault is {f.Layer}, whose {f.What} is NaN or infinite" : $"the log-probability of the latents ({base_density.GetName()}) is infinite";
        throw new NonFiniteException($"{owner} met numbers that {result.dtype} cannot hold: {what}. Look for extreme values in the data or for weights that grew without limit, or compute in float64: model.to(torch.float64).", layer);
    }
}
