using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Makes a flow from the state dict of zuko (probabilists/zuko 1.4): <c>MAF</c>, <c>NSF</c>, <c>NICE</c>, <c>RealNVP</c> and
/// <c>CNF</c>, with or without a context.</summary>
/// <remarks>
/// <para>Autoregressive layers may have any order and number of passes; with fewer passes than features they are the same map, but sampling
/// takes as many passes as there are features. Networks are plain (<c>residual=False</c>, <c>normalize=False</c>). Circular splines
/// (<c>NCSF</c>), neural and polynomial maps (<c>NAF</c>, <c>UNAF</c>, <c>SOSPF</c>, <c>BPF</c>) and <c>GF</c> are not known, and
/// refused.</para>
/// <para>A <c>CNF</c> is solved by our own method and tolerance, so the two agree to what theirs gives: zuko relaxes the error of its
/// log-determinants a hundred times.</para>
/// </remarks>
public sealed record ZukoImporter : PyTorchImporter<ImportedModel>, IImportsParts
{
    /// <summary>The function between the layers of networks; null for zuko's default: elu in a <c>CNF</c>, relu in all others.</summary>
    public PyTorchActivation? Activation { get; init; }

    /// <summary>zuko's <c>slope</c>: the smallest slope of an affine map or a spline.</summary>
    public double Slope { get; init; } = 1e-3;

    /// <summary>The splines are on [−B, B]; zuko's are on [−5, 5].</summary>
    public double Bound { get; init; } = 5;

    internal override string Library => "zuko";

    private protected override IReadOnlyList<string> Anchors => ["transform.transforms.", "transform."];

    internal override void CheckMembers()
    {
        CheckBound(Bound, nameof(Bound));
        if (Activation is { } activation) CheckDefined(activation, nameof(Activation));
        if (!(Slope is > 0 and < 1))
            throw new ArgumentException(FormattableString.Invariant($"{nameof(Slope)} must be in (0, 1); got {Slope}."), nameof(Slope));
    }

    private protected override ImportedModel Build(ImportedWeights weights) => ImportedModel.Of(this, weights);

    FlowParts IImportsParts.Parts(ImportedWeights weights)
    {
        const string start = "transform.transforms.";
        foreach (var (name, kind) in new[] { ("base.lower", "NCSF, whose splines are circular"), 
            ("transform.transforms.0.phi.0", "a Gaussianization flow"), ("transform.transforms.0.univariate.network.0.weight", "NAF"),
            ("transform.transforms.0.univariate.integrand.0.weight", "UNAF") })
            if (weights.Has(name)) throw weights.Fault($"'{name}' is of {kind}, which is not known");
        if (weights.Has("base.loc") is false) throw weights.Missing("base.loc");
        var (mean, spread) = (weights.Fixed("base.loc").flatten(), weights.Fixed("base.scale").flatten());
        var features = (int)mean.shape[0];
        string[] starts = weights.HasUnder(start)
            ? [.. Enumerable.Range(0, weights.Count(start, "a transform")).Select(i => $"{start}{i}.")] : ["transform."];
        Bijection[] layers = [.. starts.Select(Bijection (at) => weights.Has(at + "freqs") ? Continuous(weights, at, features)
            : weights.Has(at + "mask") ? Coupling(weights, at, features)
            : Autoregressive(weights, at, features))];
        var isStandard = mean.eq(Scalars.Zero).all().Fetch<bool>() && spread.eq(Scalars.One).all().Fetch<bool>();
        return new FlowParts(new Chain(layers))
        {
            BaseDensity = isStandard ? null
                : weights.Filled(new DiagonalNormal([features]), ("mean", mean), ("log_scale", spread.log())),
        };
    }

    private ContinuousLayer Continuous(ImportedWeights weights, string at, int features)
    {
        if (!weights.Numbers(at + "times").SequenceEqual([0, 1]))
            throw weights.Fault($"'{at}times' are not 0 and 1");
        var frequencies = weights.Fixed(at + "freqs").flatten();
        var parts = Layers(weights, at + "ode.", masked: false);
        var contextSize = parts[0].Inputs - features - (2 * frequencies.shape[0]);
        if (contextSize < 0 || parts[^1].Outputs != features)
            throw weights.Fault($"'{at}ode' maps {parts[0].Inputs} numbers to {parts[^1].Outputs}; the base has {features} features");
        var network = new ImportedNetwork(weights, parts, residual: false, Activation ?? PyTorchActivation.Elu, contextSize);
        return new ContinuousLayer(weights.Filled(new ImportedDynamics(features, network, frequencies)), [features]);
    }

    private CouplingLayer Coupling(ImportedWeights weights, string at, int features)
    {
        bool[] kept = [.. weights.Numbers(at + "mask").Select(n => n != 0)];
        if (kept.Length != features) throw weights.Fault($"'{at}mask' has {kept.Length} numbers, but the base has {features} features");
        var parts = Layers(weights, at + "hyper.", masked: false);
        var (inputs, changed) = (kept.Count(k => k), kept.Count(k => !k));
        if (inputs == 0 || changed == 0 || parts[0].Inputs < inputs)
            throw weights.Fault($"'{at}mask' keeps {inputs} of {features} features, but its network takes {parts[0].Inputs} numbers");
        var (transformer, last) = Map(weights, parts[^1], changed, at);
        parts[^1] = last;
        return new CouplingLayer([features], new Mask([features], kept), transformer,
            ImportedNetworks.Plain(weights, parts, Activation ?? PyTorchActivation.Relu, parts[0].Inputs - inputs));
    }

    private AutoregressiveLayer Autoregressive(ImportedWeights weights, string at, int features)
    {
        var parts = Layers(weights, at + "hyper.", masked: true);
        var contextSize = parts[0].Inputs - features;
        if (contextSize < 0) throw weights.Fault($"'{at}hyper' takes {parts[0].Inputs} numbers, but the base has {features} features");
        var (transformer, last) = Map(weights, parts[^1], features, at);
        parts[^1] = last;
        var order = ImportedNetworks.Order(weights, parts, features, at + "hyper.");
        // the classes of the order in the file must be those of the masks
        if (weights.Has(at + "order") && !ImportedNetworks.Agrees(parts, weights.Integers(at + "order"), features))
            throw weights.Fault($"'{at}order' does not agree with the masks of its network");
        var network = ImportedNetworks.Masked(weights, parts, residual: false, Activation ?? PyTorchActivation.Relu, contextSize, order);
        return new AutoregressiveLayer([features], transformer, _ => network, order, contextSize);
    }

    private static List<ImportedLinear> Layers(ImportedWeights weights, string at, bool masked)
    {
        var indices = weights.Indices(at);
        for (var i = 0; i < indices.Length; i++)
            if (indices[i] != 2 * i || !weights.Has($"{at}{2 * i}.weight"))
                throw weights.Fault(
                    $"'{at}' is no network with a linear layer and a function in turn: residual and normalized ones are not known");
        if (indices.Length == 0) throw weights.Missing(at + "0.weight");
        return [.. indices.Select(i => weights.Linear($"{at}{i}.", masked))];
    }

    private (ScalarTransformer, ImportedLinear) Map(ImportedWeights weights, ImportedLinear last, int count, string at)
    {
        var p = (int)(last.Outputs / count);
        if (p * count != last.Outputs)
            throw weights.Fault($"the network of '{at}' gives {last.Outputs} numbers, which {count} features do not share evenly");
        // theirs is shift, scale for each feature; ours all scales first
        if (p == 2)
            return (new ScaleShiftTransformer(ScaleFunction.SoftClippedExp, Slope),
                last.Rows([.. Enumerable.Range(0, 2 * count).Select(i => (2L * (i % count)) + 1 - (i / count))]));
        if (p % 3 != 2)
            throw weights.Fault($"the network of '{at}' gives {p} numbers for each feature; an affine map has 2 and a spline 3K - 1");
        // a floor that theirs does not reach: e^(log slope) / K for bins
        var spline = new SplineTransformer((p + 1) / 3, -Bound, Bound, SplineTails.Linear, 1e-6, 1e-6);
        return (new ImportedSpline(spline, Slope), last.Rows(NflowsLayers.ByParameter(p, count)));
    }
}
