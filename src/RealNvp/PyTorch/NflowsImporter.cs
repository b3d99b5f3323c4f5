using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Makes a flow from the state dict of a <c>Flow</c> of nflows (bayesiains/nflows
/// 0.14), and of what builds on it, such as the posteriors of sbi.
/// </summary>
/// <remarks>
/// <para>Known are <c>CompositeTransform</c>s within one another of affine, additive and rational-quadratic couplings and masked
/// autoregressive layers, permutations, <c>LULinear</c>, <c>ActNorm</c>, <c>BatchNorm</c> (its statistics become constants),
/// <c>PointwiseAffineTransform</c> and <c>InverseTransform</c>; networks are <c>ResidualNet</c>, <c>MLP</c>, <c>MADE</c> and any
/// <c>nn.Sequential</c> of linear layers, each with a context; bases are <c>StandardNormal</c>
/// and <c>DiagonalNormal</c>. Batch normalization inside of networks
/// becomes constants too, but behind the activation of a feed-forward MADE it is not known. A transform
/// without weights in the file, such as <c>Sigmoid</c>, leaves a gap, which is refused.</para>
/// <para>An embedding net is not imported: set <c>Strict = false</c>, and give the flow the embedded context.</para>
/// </remarks>
public sealed record NflowsImporter : PyTorchImporter<ImportedModel>, IImportsParts
{
    /// <summary>The elementwise map of couplings and autoregressive layers.</summary>
    public NflowsTransform Transform { get; init; }

    /// <summary>The scale of affine maps.</summary>
    public NflowsScale Scale { get; init; }

    /// <summary>B, the <c>tail_bound</c> of splines with linear tails, which are on [−B, B]. nflows' own default is 1; most people set 3 or
    /// more.</summary>
    public double TailBound { get; init; } = 1;

    /// <summary>The function between the layers of networks; nflows' default is relu.</summary>
    public PyTorchActivation Activation { get; init; }

    /// <summary>Whether couplings divide sizes of bins by √hidden before the softmax. nflows does so if their network has a member
    /// <c>hidden_features</c>, as its own <c>ResidualNet</c> has. Null: yes for that one, no for other networks.</summary>
    public bool? DividesBinSizes { get; init; }

    /// <summary>nflows' <c>enable_identity_init</c>: splines whose parameters are all 0 are the identity.</summary>
    public bool EnableIdentityInit { get; init; }

    /// <summary>The smallest width and height of a bin, as a part of the interval:
    /// nflows' <c>min_bin_width</c> and <c>min_bin_height</c>.</summary>
    public double MinBinSize { get; init; } = 1e-3;

    /// <summary>The smallest derivative at a knot: nflows' <c>min_derivative</c>.</summary>
    public double MinDerivative { get; init; } = 1e-3;

    internal override string Library => "nflows";

    private protected override IReadOnlyList<string> Anchors => ["_transform."];

    internal override void CheckMembers()
    {
        CheckBound(TailBound, nameof(TailBound));
        CheckDefined(Transform, nameof(Transform));
        CheckDefined(Scale, nameof(Scale));
        CheckDefined(Activation, nameof(Activation));
        Ranges.SmallestBin.Require(MinBinSize, nameof(MinBinSize), "The smallest bin");
        Ranges.SmallestDerivative.Require(MinDerivative, nameof(MinDerivative), "The smallest derivative");
    }

    private protected override ImportedModel Build(ImportedWeights weights) => ImportedModel.Of(this, weights);

    FlowParts IImportsParts.Parts(ImportedWeights weights)
    {
        var layers = new NflowsLayers(this, weights).Of("_transform.");
        var features = layers.Count > 0 ? layers[0].InputShape!.Value : throw weights.Fault("it has no transform with weights");
        // an older version kept a constant
        weights.Pass("_distribution.", "_log_z");
        Density? density = null;
        if (weights.Has("_distribution.mean_"))
            density = weights.Filled(new DiagonalNormal(features), ("mean", weights["_distribution.mean_"]),
                ("log_scale", weights["_distribution.log_std_"]));
        return new FlowParts(new Chain(layers)) { BaseDensity = density };
    }
}
