using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The one place that brings data, contexts and latents into the dtype that the flow computes in.</summary>
public partial class Flow
{
    // in a box: a tensor in a field would become a part of the state
    private readonly System.Runtime.CompilerServices.StrongBox<Tensor?> first = new();

    /// <summary>Data as the bijection takes them: in the dtype of the weights, or as they are where its first layer converts them itself.</summary>
    private Tensor InDtype(Tensor x) => bijection.ConvertsDtype ? x : InWeightDtype(x);

    /// <summary>Floating-point numbers in the dtype of the weights; others stay.</summary>
    private Tensor InWeightDtype(Tensor x) =>
        x.dtype != WeightDtype(x.dtype) && x.is_floating_point() ? x.to(WeightDtype(x.dtype)) : x;

    private ScalarType WeightDtype(ScalarType otherwise) => KnownWeight?.dtype ?? otherwise;

    // to look for the first weight takes time in proportion to their number; to() disposes it, so that this is noticed
    private Tensor? KnownWeight => first.Value is { IsInvalid: false } known ? known : first.Value = Weight;
}
