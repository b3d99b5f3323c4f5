namespace RealNvp;

/// <summary>Masked autoregressive flow (Papamakarios, Pavlakou, Murray, arXiv 1705.07057), for vectors: density in one pass.</summary>
/// <remarks>
/// Sampling goes from feature to feature; it costs about the arithmetic of one pass, in D steps. A new model is the identity but for its
/// preprocessing.
/// </remarks>
/// <param name="options">What to build; presets are static members of <see cref="MafOptions"/>.</param>
/// <param name="seed">Makes the initial weights repeatable, on any thread; torch's
/// default generator is left alone. Null draws from that generator.</param>
/// <exception cref="ArgumentException">An option is out of range.</exception>
public sealed class MafModel(MafOptions options, long? seed = null) : FlowModel<MafModel, MafOptions>(options, seed);
