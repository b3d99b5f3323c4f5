namespace RealNvp;

/// <summary>
/// Residual Flows (Chen, Behrmann, Duvenaud, Jacobsen, arXiv 1906.02735), for vectors and for
/// images: blocks z = x + g(x) whose networks have a Lipschitz constant below 1, built from a
/// <see cref="ResidualFlowVectorOptions"/> or a <see cref="ResidualFlowImageOptions"/> record.
/// </summary>
/// <remarks>
/// <para>Up to 16 features the likelihood is exact; beyond, it is an unbiased estimate, and
/// <see cref="Flow.LogProbWithErrors"/> gives its standard error (<see cref="Flow.Likelihood"/>).
/// Samples are found by a fixed-point search in each block.</para>
/// <para>A new model is the identity but for its preprocessing, with
/// <see cref="ActNorm"/> layers that the first batch of training sets.</para>
/// </remarks>
/// <param name="options">What to build; presets are static members of <see cref="ResidualFlowOptions"/>.</param>
/// <param name="seed">Makes the initial weights repeatable, on any thread; torch's
/// default generator is left alone. Null draws from that generator.</param>
/// <exception cref="ArgumentException">An option is out of range.</exception>
public sealed class ResidualFlowModel(ResidualFlowOptions options, long? seed = null)
    : FlowModel<ResidualFlowModel, ResidualFlowOptions>(options, seed);
