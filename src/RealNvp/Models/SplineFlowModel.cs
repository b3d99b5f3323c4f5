namespace RealNvp;

/// <summary>Neural spline flow with coupling layers, RQ-NSF (C) (Durkan et al., arXiv 1906.04032, section 5.1), for vectors.</summary>
/// <remarks>
/// Each step is a linear layer in LU form and a coupling of rational-quadratic splines with linear
/// tails; a linear layer ends it. A new model is a rotation. Both directions take one pass.
/// <para>With <see cref="SplineFlowOptions.CircularFeatures"/>, some or all features are angles or
/// other circles: circular splines (Rezende et al., arXiv 2002.02428) between learned shifts, networks
/// that see cos and sin, a uniform density on the circles; linear layers mix the other features.</para>
/// </remarks>
/// <param name="options">What to build; presets are static members of <see cref="SplineFlowOptions"/>.</param>
/// <param name="seed">Makes the initial weights repeatable, on any thread; torch's
/// default generator is left alone. Null draws from that generator.</param>
/// <exception cref="ArgumentException">An option is out of range.</exception>
public sealed class SplineFlowModel(SplineFlowOptions options, long? seed = null)
    : FlowModel<SplineFlowModel, SplineFlowOptions>(options, seed);
