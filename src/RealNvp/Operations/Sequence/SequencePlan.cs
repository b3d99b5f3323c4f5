using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>The inverse of an autoregressive layer, feature by feature, as one operation: a masked network of linear layers and the inverse
/// of an elementwise map.</summary>
internal sealed class SequencePlan
{
    private readonly ElementwiseMap[] maps;

    /// <summary>Describes a layer.</summary>
    /// <param name="program">The network.</param>
    /// <param name="order">The feature of each step.</param>
    /// <param name="ends">For each step how many hidden units are known after it.</param>
    /// <param name="parameters">P, the parameters of a feature.</param>
    /// <param name="limit">What the network sees of the features, <see cref="InputLimit"/>; null for all of them.</param>
    /// <param name="maps">The map of each feature.</param>
    public SequencePlan(DenseProgram program, long[] order, long[] ends, long parameters, double? limit, ElementwiseMap[] maps) =>
        (Shape, this.maps) = (new(program, order, ends, (int)parameters, limit ?? 0, maps,
            Array.ConvertAll(maps, m => m.RootCode)), maps);

    public SequenceShape Shape { get; }

    /// <summary>Whether maps with these kernels can be part of one: each feature's own, without weights, or one for all.</summary>
    public static bool CanBe(IReadOnlyList<ElementwiseMap?> maps, long parameters) =>
        maps.All(m => m is not null && m.Parameters <= parameters)
            && maps.All(m => ReferenceEquals(m, maps[0]) || !(m!.HasWeight || maps[0]!.HasWeight));

    /// <summary>Throws if a root was not found.</summary>
    public void CheckRoots(double residual) => Array.Find(maps, m => m.InverseIsSearch)?.CheckRoots(residual);

    /// <summary>Value and log-determinant; null if the kernel cannot run on these tensors. Runs in a dispose scope.</summary>
    /// <param name="all">The tensors of <see cref="DenseTensors"/>: the latents first, and the context limited.</param>
    /// <param name="hasContext">Whether there is a context among them.</param>
    public (Tensor Value, Tensor LogDet)? TryRun(List<Tensor> all, bool hasContext)
    {
        if (!KernelSwitches.Sequence || !Array.TrueForAll(maps, m => m.IsOn) || Shape.Layers < 2) return null;
        if (!DenseNetwork.CanRun(Shape.Program, all, hasContext)) return null;
        for (var i = 0; i < (hasContext ? 2 : 1); i++) all[i] = DenseNetwork.Rows(all[i]);
        if (maps[0].Weight is { } weight)
        {
            if (weight.numel() != 1 || !KernelMemory.IsFloats(weight.Handle)) return null;
            all.Add(weight);
        }
        if (!is_grad_enabled() || !all.Exists(t => t.requires_grad)) return SequenceFunction.Forward(this, all, hasContext, null);
        var outputs = SequenceFunction.Apply([.. all, this, hasContext]);
        return (outputs[0], outputs[1]);
    }

    /// <summary>The sequence in plain operations: a pass of the whole network for each feature, on zeros in the place of what is not
    /// known yet. Runs in a dispose scope.</summary>
    public (Tensor Value, Tensor LogDet) Reference(IReadOnlyList<Tensor> all, bool hasContext)
    {
        var (z, features) = (all[0], Shape.Features);
        var weight = maps[0].HasWeight ? all[^1] : null;
        var parts = all.Take(all.Count - (weight is null ? 0 : 1)).ToArray();
        var known = new Tensor[features];
        Array.Fill(known, zeros(z.size(0), 1, dtype: z.dtype, device: z.device));
        Tensor? total = null;
        foreach (var feature in Shape.Order)
        {
            parts[0] = InputLimitReference.Of(cat(known, 1), Shape.Limit > 0 ? Shape.Limit : null);
            var map = maps[feature];
            var parameters = DenseReference.Forward(Shape.Program, new DenseTensors(Shape.Program, parts, hasContext))
                .reshape(z.size(0), Shape.Parameters, features).select(2, feature).narrow(1, 0, map.Parameters);
            var (value, log) = map.Reference(z.narrow(1, feature, 1), parameters, weight, inverse: true);
            known[feature] = value;
            var term = log.squeeze(1);
            total = total is null ? term : total.add(term, Internal.Scalars.One);
        }
        return (cat(known, 1), total!);
    }
}
