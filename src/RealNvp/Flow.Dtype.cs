using RealNvp.Internal;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The one place that brings data, contexts and latents into the dtype that the flow computes in.</summary>
public partial class Flow
{
    // in a box: a tensor in a field would become a part of the state
    private readonly System.Runtime.CompilerServices.StrongBox<Tensor?> first = new();

    /// <summary>Data as the bijection takes them: in the dtype of the weights, or as they are if its first layer converts them itself and
    /// they have at least as many digits. With fewer, what that layer does before it converts would round.</summary>
    private Tensor InDtype(Tensor x) =>
        bijection.ConvertsDtype && (x.dtype == float64 || WeightDtype(x.dtype) != float64) ? x : InWeightDtype(x);

    /// <summary>Floating-point numbers in the dtype of the weights; others stay.</summary>
    private Tensor InWeightDtype(Tensor x) =>
        x.dtype != WeightDtype(x.dtype) && x.is_floating_point() ? x.to(WeightDtype(x.dtype)) : x;

    // data that the flow made, in the dtype that the caller asked for
    private static Tensor OutDtype(Tensor x, ScalarType? dtype) => dtype is { } wanted && x.dtype != wanted ? x.to(wanted) : x;

    // x of the inverse pass comes in this dtype if the first layer converts; rounded only at the end otherwise
    private PassState.Scope Wanted(ScalarType? dtype)
    {
        if (dtype is { } wanted && !TorchBackend.IsPrecise(wanted))
            throw new ArgumentException($"{GetName()} gives data in float32 or float64; {nameof(dtype)} is {wanted}. Convert the result.",
                nameof(dtype));
        return PassState.WithDtype(bijection.ConvertsDtype ? dtype : null);
    }

    /// <summary>The dtype of the weights; null for a flow without weights.</summary>
    internal ScalarType? WeightType => KnownWeight?.dtype;

    private ScalarType WeightDtype(ScalarType otherwise) => KnownWeight?.dtype ?? otherwise;

    // to look for the first weight takes time in proportion to their number; to() disposes it, so that this is noticed
    private Tensor? KnownWeight => first.Value is { IsInvalid: false } known ? known : first.Value = Weight;
}
