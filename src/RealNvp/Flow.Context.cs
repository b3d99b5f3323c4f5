using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>Checks and conversions of contexts, in one place for all methods.</content>
public partial class Flow
{
    /// <summary>Checks contexts and their values, before any work: one for each of
    /// <paramref name="examples"/>, or any number M if that is null.</summary>
    /// <param name="context">The contexts as the caller gave them.</param>
    /// <param name="examples">N; null if each context is to have its own samples.</param>
    /// <param name="owner">The method that was called.</param>
    /// <param name="mayWait">False in a training step, which must not wait
    /// for a device: values are looked at on the CPU alone then.</param>
    internal void CheckContext(Tensor? context, long? examples, string owner, bool mayWait = true)
    {
        // callers check before their call has begun, when another thread may free the weights
        using var gate = EvaluationGate.Read(this);
        if (context_encoder is { } encoder)
            encoder.CheckContext(context, examples, owner, values: mayWait || context is { IsInvalid: false, device_type: DeviceType.CPU });
        else
        {
            Check.Context(context, ContextSize, examples, owner, KnownWeight, anyDtype: true);
            if (context is not null) Check.Finite(context, nameof(context), owner, mayWait);
        }
    }

    /// <summary>Checks the contexts of a whole data set, on any device and in any floating-point dtype.</summary>
    private void CheckContextSet(Tensor? context, long examples, string owner)
    {
        if (context_encoder is { } encoder) encoder.CheckContext(context, examples, owner, values: true);
        else
        {
            Check.Context(context, ContextSize, examples, owner, null, anyDtype: true);
            if (context is null) return;
            Check.Finite(context, nameof(context), owner);
        }
    }

    // checked contexts as vectors (N, C), in the dtype of the weights; null if the flow is not conditional
    private Tensor? Features(Tensor? context, ScalarType dtype, string owner, bool mayWait = true)
    {
        if (context_encoder is not { } encoder) return context is null ? null : InWeightDtype(context);
        var features = encoder.call(context!);
        Check.Finite(features, $"the output of {encoder.GetName()}", owner, mayWait);
        return features.to(WeightDtype(dtype));
    }

    /// <summary>P(Zᵢ ≤ zᵢ) of latents (N, ...) under a base density that knows it, in float64 if the device has that.</summary>
    internal Tensor CdfOfLatents(Tensor z, Tensor? context)
    {
        using var mode = EvaluationGate.Evaluate(this);
        using var gradients = no_grad();
        using var scope = NewDisposeScope();
        var given = ForBase(Features(context, z.dtype, GetName()));
        var precise = z.device_type == DeviceType.MPS ? z : z.to(float64);
        var below = ((IElementCdf)base_density).Cdf(precise, given);
        if (below is null || below.IsInvalid || !below.shape.SequenceEqual(z.shape))
            throw new InvalidOperationException(
                $"{base_density.GetName()}.{nameof(IElementCdf.Cdf)} must give the shape of the latents, {EventShape.Format(z.shape)}.");
        return scope.MoveToOuter(below);
    }

    private Tensor? ForBijection(Tensor? features) => bijection.ContextSize > 0 ? features : null;

    private Tensor? ForBase(Tensor? features) => base_density.ContextSize > 0 ? features : null;
}
