namespace RealNvp;

/// <summary>Inverse autoregressive flow (Kingma et al., arXiv 1606.04934), for vectors: samples, with their density, in one pass.</summary>
/// <remarks>
/// It suits variational inference, which needs samples and their density. The density of given data goes from feature to feature; it costs
/// about the arithmetic of one pass, in D steps. A new model is the identity but for its preprocessing.
/// </remarks>
/// <param name="options">What to build; presets are static members of <see cref="IafOptions"/>.</param>
/// <param name="seed">Makes the initial weights repeatable, on any thread; torch's
/// default generator is left alone. Null draws from that generator.</param>
/// <exception cref="ArgumentException">An option is out of range.</exception>
public sealed class IafModel(IafOptions options, long? seed = null) : FlowModel<IafModel, IafOptions>(options, seed);
