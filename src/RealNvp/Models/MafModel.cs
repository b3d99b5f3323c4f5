using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Masked autoregressive flow (Papamakarios, Pavlakou, Murray, arXiv 1705.07057), for vectors: density in one pass.</summary>
/// <remarks>
/// Sampling goes from feature to feature; it costs about the arithmetic of one pass, in D steps. A new model is the identity but for its
/// preprocessing.
/// </remarks>
public sealed class MafModel : FlowModel
{
    /// <summary>Builds a model with new weights, on torch's default device and in its default dtype.</summary>
    /// <param name="options">What to build; presets are static members of <see cref="MafOptions"/>.</param>
    /// <param name="seed">Makes the initial weights repeatable, on any thread; torch's default generator is left alone. Null draws from that generator.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public MafModel(MafOptions options, long? seed = null)
        : base(nameof(MafModel), Checked(options, nameof(MafModel)), Seeded(seed, () => Build(options), options.NewBase)) => Options = options;

    /// <summary>What the model was built from.</summary>
    public MafOptions Options { get; }

    /// <inheritdoc/>
    public override ModelOptions ModelOptions => Options;

    /// <inheritdoc cref="FlowModel.Load(string, Device)"/>
    public static new MafModel Load(string path, Device? device = null) => Read<MafModel>(path, device);

    /// <inheritdoc cref="FlowModel.Load(Stream, Device)"/>
    public static new MafModel Load(Stream stream, Device? device = null) => Read<MafModel>(stream, device);

    private static Chain Build(MafOptions options) => options.Chain(inverted: false);
}
