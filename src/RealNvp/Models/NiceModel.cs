using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>NICE (Dinh, Krueger, Bengio, arXiv 1410.8516): additive couplings, a learned scale of each variable, logistic latents.</summary>
/// <remarks>
/// The volume changes in the diagonal scaling only. A new model is the identity but for its preprocessing. An image is a vector here: flatten it.
/// </remarks>
public sealed class NiceModel : FlowModel
{
    /// <summary>Builds a model with new weights, on torch's default device and in its default dtype.</summary>
    /// <param name="options">What to build; presets are static members of <see cref="NiceOptions"/>.</param>
    /// <param name="seed">Makes the initial weights repeatable, on any thread; torch's default generator is left alone. Null draws from that generator.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public NiceModel(NiceOptions options, long? seed = null)
        : base(nameof(NiceModel), Checked(options, nameof(NiceModel)), Seeded(seed, () => Build(options), options.NewBase)) => Options = options;

    /// <summary>What the model was built from.</summary>
    public NiceOptions Options { get; }

    /// <inheritdoc/>
    public override ModelOptions ModelOptions => Options;

    /// <inheritdoc cref="FlowModel.Load(string, Device)"/>
    public static new NiceModel Load(string path, Device? device = null) => Read<NiceModel>(path, device);

    /// <inheritdoc cref="FlowModel.Load(Stream, Device)"/>
    public static new NiceModel Load(Stream stream, Device? device = null) => Read<NiceModel>(stream, device);

    private static Chain Build(NiceOptions options)
    {
        var layers = options.Preprocessing(options.Standardize);
        for (var i = 0; i < options.Couplings; i++)
        {
            var mask = i % 2 == 0 ? Mask.Alternating(options.Shape[0]) : !Mask.Alternating(options.Shape[0]);
            layers.Add(new AdditiveCouplingLayer(options.Shape, mask, size => new Mlp(size.Inputs, size.Outputs, options.Hidden, options.HiddenLayers, options.ContextSize, options.InputLimit)));
        }
        layers.Add(new DiagonalScaling(options.Shape));
        return new Chain([.. layers]);
    }
}
