using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Neural spline flow with coupling layers, RQ-NSF (C) (Durkan et al., arXiv 1906.04032, section 5.1), for vectors.</summary>
/// <remarks>
/// Each step is a linear layer in LU form and a coupling of rational-quadratic splines with linear tails; a linear layer ends it. A new model is
/// a rotation. Both directions take one pass.
/// <para>With <see cref="SplineFlowOptions.CircularFeatures"/>, some or all features are angles or other circles: circular splines (Rezende et al.,
/// arXiv 2002.02428) between learned shifts, networks that see cos and sin, a uniform density on the circles; linear layers mix the other features.</para>
/// </remarks>
public sealed class SplineFlow : FlowModel
{
    /// <summary>Builds a model with new weights, on torch's default device and in its default dtype.</summary>
    /// <param name="options">What to build; presets are static members of <see cref="SplineFlowOptions"/>.</param>
    /// <param name="seed">Makes the initial weights repeatable, on any thread; torch's default generator is left alone. Null draws from that generator.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public SplineFlow(SplineFlowOptions options, long? seed = null)
        : base(nameof(SplineFlow), Checked(options, nameof(SplineFlow)), Seeded(seed, () => Build(options), () => options.CircularFeatures.Count > 0 ? CircularSplines.Base(options) : options.NewBase())) => Options = options;

    /// <summary>What the model was built from.</summary>
    public SplineFlowOptions Options { get; }

    /// <inheritdoc/>
    public override ModelOptions ModelOptions => Options;

    /// <inheritdoc cref="FlowModel.Load(string, Device)"/>
    public static new SplineFlow Load(string path, Device? device = null) => Read<SplineFlow>(path, device);

    /// <inheritdoc cref="FlowModel.Load(Stream, Device)"/>
    public static new SplineFlow Load(Stream stream, Device? device = null) => Read<SplineFlow>(stream, device);

    private static Chain Build(SplineFlowOptions options)
    {
        if (options.CircularFeatures.Count > 0) return CircularSplines.Build(options);
        var layers = options.Preprocessing(options.Standardize);
        for (var i = 0; i < options.Couplings; i++)
        {
            if (options.Linear) layers.Add(new InvertibleLinear(options.Shape));
            var mask = i % 2 == 0 ? Mask.Alternating(options.Shape[0]) : !Mask.Alternating(options.Shape[0]);
            layers.Add(new CouplingLayer(options.Shape, mask, new SplineTransformer(options.Bins, -options.Bound, options.Bound, options.Tails, options.SmallestBin, options.SmallestDerivative), size => new ResidualMlp(size.Inputs, size.Outputs, options.Hidden, options.Blocks, options.ContextSize, options.InputLimit)));
        }
        if (options.Linear) layers.Add(new InvertibleLinear(options.Shape));
        return new Chain([.. layers]);
    }
}
