namespace RealNvp;

/// <summary>NICE (Dinh, Krueger, Bengio, arXiv 1410.8516): additive
/// couplings, a learned scale of each variable, logistic latents.</summary>
/// <remarks>
/// The volume changes in the diagonal scaling only. A new model is the identity
/// but for its preprocessing. An image is a vector here: flatten it.
/// </remarks>
/// <param name="options">What to build; presets are static members of <see cref="NiceOptions"/>.</param>
/// <param name="seed">Makes the initial weights repeatable, on any thread; torch's
/// default generator is left alone. Null draws from that generator.</param>
/// <exception cref="ArgumentException">An option is out of range.</exception>
public sealed class NiceModel(NiceOptions options, long? seed = null) : FlowModel<NiceModel, NiceOptions>(options, seed);
