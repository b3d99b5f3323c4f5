using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Inverse autoregressive flow (Kingma et al., arXiv 1606.04934), for vectors: samples, with their density, in one pass.</summary>
/// <remarks>
/// It suits variational inference, which needs samples and their density. The density of given data goes from feature to feature; it costs
/// about the arithmetic of one pass, in D steps. A new model is the identity but for its preprocessing.
/// </remarks>
public sealed class IafModel : FlowModel
{
    /// <summary>Builds a model with new weights, on torch's default device and in its default dtype.</summary>
    /// <param name="options">What to build; presets are static members of <see cref="IafOptions"/>.</param>
    /// <param name="seed">Makes the initial weights repeatable, on any thread; torch's default generator is left alone. Null draws from that generator.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public IafModel(IafOptions options, long? seed = null)
        : base(nameof(IafModel), Checked(options, nameof(IafModel)), Seeded(seed, () => Build(options), options.NewBase)) => Options = options;

    /// <summary>What the model was built from.</summary>
    public IafOptions Options { get; }

    /// <inheritdoc/>
    public override ModelOptions ModelOptions => Options;

    /// <inheritdoc cref="FlowModel.Load(string, Device)"/>
    public static new IafModel Load(string path, Device? device = null) => Read<IafModel>(path, device);

    /// <inheritdoc cref="FlowModel.Load(Stream, Device)"/>
    public static new IafModel Load(Stream stream, Device? device = null) => Read<IafModel>(stream, device);

    private static Chain Build(IafOptions options) => options.Chain(inverted: true);
}
