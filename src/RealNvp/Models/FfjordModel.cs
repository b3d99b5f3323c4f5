namespace RealNvp;

/// <summary>
/// A continuous normalizing flow (Neural ODEs, arXiv 1806.07366; FFJORD, arXiv 1810.01367): examples move
/// along a velocity that a network gives, from latents at t = 0 to data at t = 1. Its log-density is exact
/// up to the tolerance of a solver as long as the divergence is (<see cref="Flow.Likelihood"/>).
/// </summary>
/// <remarks>
/// <para>Train it by maximum likelihood, as FFJORD, or by flow matching, which solves no equation and is many times faster:
/// <c>new Trainer(model, Objective.FlowMatching())</c>. It is the same model either way. Both directions
/// take a solve; <see cref="Flow.SampleWith"/> takes
/// a solver and a number of steps of yours. A new model is the identity but for its preprocessing.</para>
/// </remarks>
/// <param name="options">What to build; presets are static members of <see cref="FfjordOptions"/>.</param>
/// <param name="seed">Makes the initial weights repeatable, on any thread; torch's
/// default generator is left alone. Null draws from that generator.</param>
/// <exception cref="ArgumentException">An option is out of range.</exception>
public sealed class FfjordModel(FfjordOptions options, long? seed = null) : FlowModel<FfjordModel, FfjordOptions>(options, seed);
