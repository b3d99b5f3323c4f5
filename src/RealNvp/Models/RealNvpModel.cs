namespace RealNvp;

/// <summary>
/// Real NVP (Dinh, Sohl-Dickstein, Bengio, arXiv 1605.08803) and NICE (arXiv 1410.8516), for vectors and for images, built from a
/// <see cref="RealNvpVectorOptions"/> or a <see cref="RealNvpImageOptions"/> record.
/// </summary>
/// <remarks>
/// <para>Images: scales of 3 checkerboard couplings, squeeze, 3 channel-wise couplings, half of the variables out; the last scale has 4
/// checkerboard couplings. Latents are vectors (N, D); <see cref="FlowModel.SplitLatent"/>
/// parts them by scale. Vectors: a chain of couplings.</para>
/// <para>A new model is the identity but for its preprocessing. It is in
/// training mode; <c>eval()</c> makes it safe for several threads.</para>
/// </remarks>
/// <param name="options">What to build; presets are static members of <see cref="RealNvpOptions"/>.</param>
/// <param name="seed">Makes the initial weights repeatable, on any thread; torch's
/// default generator is left alone. Null draws from that generator.</param>
/// <exception cref="ArgumentException">An option is out of range.</exception>
public sealed class RealNvpModel(RealNvpOptions options, long? seed = null) : FlowModel<RealNvpModel, RealNvpOptions>(options, seed);
