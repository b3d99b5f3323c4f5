using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Makes a flow from the state dict of a <c>NormalizingFlow</c> of normflows (VincentStimper/normalizing-flows 1.7). Its flows map base
/// variables to data; ours maps data to latents, so they stand in the reverse order and inverted.
/// </summary>
/// <remarks>
/// Known are <c>Planar</c>, <c>MaskedAffineFlow</c>, <c>ActNorm</c> and <c>AffineConstFlow</c>, <c>AffineCouplingBlock</c> (channels in two
/// halves), <c>Permute</c>, <c>LULinearPermute</c>, <c>CoupledRationalQuadraticSpline</c> and <c>AutoregressiveRationalQuadraticSpline</c>
/// for vectors, with a <c>DiagGaussian</c> as base. Networks are <c>nf.nets.MLP</c> without an output function. A
/// <c>Permute(mode='swap')</c> has no weights and leaves a gap: see <see cref="SwapsAtGaps"/>.
/// </remarks>
public sealed record NormflowsImporter : PyTorchImporter<ImportedModel>, IImportsParts
{
    /// <summary>The function of planar flows: normflows' <c>act</c>.</summary>
    public PlanarActivation PlanarActivation { get; init; } = PlanarActivation.Tanh;

    /// <summary>The function between the layers of networks. That of <c>nf.nets.MLP</c> is relu, unless <c>leaky</c> was set.</summary>
    public PyTorchActivation Activation { get; init; }

    /// <summary>B, the <c>tail_bound</c> of splines.</summary>
    public double TailBound { get; init; } = 3;

    /// <summary>Takes a flow that the state dict says nothing of for <c>Permute(mode='swap')</c>, which exchanges the two halves; false
    /// refuses such a gap.</summary>
    public bool SwapsAtGaps { get; init; }

    /// <summary>The number of flows, <c>len(model.flows)</c>; needed if the last ones, which data
    /// meet first, have no weights. Null ends with the last one that has weights.</summary>
    public int? FlowCount { get; init; }

    internal override string Library => "normflows";

    private protected override IReadOnlyList<string> Anchors => ["flows."];

    internal override void CheckMembers()
    {
        CheckBound(TailBound, nameof(TailBound));
        CheckDefined(Activation, nameof(Activation));
        CheckDefined(PlanarActivation, nameof(PlanarActivation));
        if (FlowCount is < 1) throw new ArgumentException($"{nameof(FlowCount)} must be at least 1; got {FlowCount}.", nameof(FlowCount));
    }

    private protected override ImportedModel Build(ImportedWeights weights) => ImportedModel.Of(this, weights);

    FlowParts IImportsParts.Parts(ImportedWeights weights)
    {
        var indices = weights.Indices("flows.");
        if (indices.Length == 0) throw weights.Missing("flows.0");
        var last = FlowCount is { } count ? count - 1 : indices[^1];
        if (last < indices[^1]) throw weights.Fault($"it has 'flows.{indices[^1]}', but FlowCount is {FlowCount}");
        var inner = new NflowsLayers(new NflowsImporter { TailBound = TailBound, Activation = Activation }, weights,
            isNormflows: true);
        List<Bijection> layers = [];
        var gaps = new List<int>();
        for (var i = last; i >= 0; i--)
        {
            if (indices.Contains(i)) layers.AddRange(Of(weights, inner, $"flows.{i}."));
            else gaps.Add(layers.Count);
            if (!indices.Contains(i) && !SwapsAtGaps)
                throw weights.Fault(
                    $"it has no 'flows.{i}' of 'flows.{last}', so that this is a flow without weights. If it is Permute(mode='swap'), " +
                    "set SwapsAtGaps = true");
        }
        if (layers.Count == 0) throw weights.Fault("none of its flows has weights");
        var shape = layers[0].InputShape!.Value;
        // from the last, so that places stay right; the first half of an odd number is the larger one
        foreach (var at in Enumerable.Reverse(gaps)) layers.Insert(at, Swap(shape));
        DiagonalNormal? density = null;
        if (weights.Has("q0.loc"))
            density = weights.Filled(new DiagonalNormal(shape), ("mean", weights["q0.loc"]), ("log_scale", weights["q0.log_scale"]));
        return new FlowParts(new Chain(layers)) { BaseDensity = density };
    }

    private static Permutation Swap(EventShape shape)
    {
        // forward takes z[:half], z[half:] to z[half:], z[:half]; this is its inverse
        var (n, half) = ((int)shape[0], (int)shape[0] / 2);
        return new Permutation(shape, [.. Enumerable.Range(0, n).Select(i => (long)((i + n - half) % n))]);
    }

    private IEnumerable<Bijection> Of(ImportedWeights weights, NflowsLayers inner, string at)
    {
        if (weights.Has(at + "u") && weights.Has(at + "w"))
        {
            var u = weights[at + "u"].flatten();
            return [new InvertedLayer(weights.Filled(new PlanarLayer([u.shape[0]], PlanarActivation), ("u", u), ("w", weights[at + "w"]),
                ("b", weights[at + "b"])))];
        }
        if (weights.Has(at + "b")) return [Masked(weights, inner, at)];
        if (weights.Has(at + "s") && weights.Has(at + "t"))
        {
            weights.Pass(at, "data_dep_init_done_cpu", "data_dep_init_done");
            return [new InvertedLayer(inner.Affine(weights[at + "s"].exp(), weights[at + "t"], at))];
        }
        if (weights.HasUnder(at + "prqct.")) return inner.Coupling(at + "prqct.");
        if (weights.HasUnder(at + "mprqat.")) return [inner.Autoregressive(at + "mprqat.")];
        if (weights.HasUnder(at + "linear.")) return [inner.Permuted(at + "permutation._permutation"), .. inner.Linear(at + "linear.")];
        if (weights.HasUnder(at + "flows.1.param_map.")) return [Halves(weights, inner, at + "flows.1.param_map.")];
        if (weights.Has(at + "perm"))
        {
            weights.Pass(at, "inv_perm");
            return [new InvertedLayer(inner.Permuted(at + "perm"))];
        }
        throw weights.Fault($"what '{FileText.Name(at)}' is, is not known");
    }

    // x = b·z + (1 − b)·(z·exp(s(b·z)) + t(b·z)); the networks see zeros in the place of what changes
    private InvertedLayer Masked(ImportedWeights weights, NflowsLayers inner, string at)
    {
        var mask = weights.Numbers(at + "b");
        if (!Array.TrueForAll(mask, n => n is 0 or 1)) throw weights.Fault($"'{at}b' is no mask of 0 and 1");
        var kept = Array.ConvertAll(mask, n => n == 1);
        long[] seen = [.. Enumerable.Range(0, kept.Length).Where(i => kept[i]).Select(i => (long)i)];
        long[] changed = [.. Enumerable.Range(0, kept.Length).Where(i => !kept[i]).Select(i => (long)i)];
        if (seen.Length == 0 || changed.Length == 0) throw weights.Fault($"'{at}b' keeps all features or none");
        Conditioner Network(string name)
        {
            if (!weights.HasUnder(at + name)) return new ConstantNetwork(seen.Length, changed.Length);
            var parts = inner.Sequence(at + name);
            if (parts[0].Inputs != kept.Length || parts[^1].Outputs != kept.Length)
                throw weights.Fault($"'{at}{name}' maps {parts[0].Inputs} numbers to {parts[^1].Outputs}; its mask has {kept.Length}");
            parts[^1] = parts[^1].Rows(changed);
            parts[0] = parts[0] with { Weight = parts[0].Weight.index_select(1, tensor(seen)) };
            return ImportedNetworks.Plain(weights, parts, Activation, 0);
        }

        return new InvertedLayer(new CouplingLayer([kept.Length], new Mask([kept.Length], kept),
            new ScaleShiftTransformer(ScaleFunction.Exp), new PairedNetwork(weights.Filled(Network("s.")), weights.Filled(Network("t.")))));
    }

    // the first half is kept; shift and scale of each feature in turn
    private InvertedLayer Halves(ImportedWeights weights, NflowsLayers inner, string at)
    {
        var parts = inner.Sequence(at);
        var (kept, outputs) = ((int)parts[0].Inputs, (int)parts[^1].Outputs);
        var changed = outputs / 2;
        // torch.chunk gives the larger half first
        if (outputs % 2 != 0 || (changed != kept && changed != kept - 1))
            throw weights.Fault($"'{at}' maps {kept} numbers to {outputs}; an affine coupling of halves maps one half to twice the other");
        parts[^1] = parts[^1].Rows([.. Enumerable.Range(0, outputs).Select(i => (2L * (i % changed)) + 1 - (i / changed))]);
        var mask = new Mask([kept + changed], [.. Enumerable.Range(0, kept + changed).Select(i => i < kept)]);
        return new InvertedLayer(new CouplingLayer(mask.Shape, mask, new ScaleShiftTransformer(ScaleFunction.Exp),
            ImportedNetworks.Plain(weights, parts, Activation, 0)));
    }
}
