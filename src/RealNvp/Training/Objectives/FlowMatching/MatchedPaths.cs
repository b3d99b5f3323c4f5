using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Points on the paths of flow matching from latents to data, and
/// their velocities. All results are in the caller's scope.</summary>
internal abstract class MatchedPaths
{
    /// <summary>The paths of a flow: on a sphere if its base density is, else of the line and circles.</summary>
    public static MatchedPaths Of(Flow flow, Bijection layer, FlowMatchingOptions options) => flow.BaseDensity.IsOnSphere
        ? new SpherePaths(options.Sigma)
        : new FlatPaths(options.Path, options.Sigma, layer.CircularFeatures);

    /// <summary>What <see cref="At"/> needs of random numbers for N examples; null for nothing.</summary>
    public abstract Tensor? NoiseFor(Tensor x1, Generator? generator);

    /// <summary>The points at times and the velocities there.</summary>
    /// <param name="x0">Latents (N, ...).</param>
    /// <param name="x1">Data (N, ...).</param>
    /// <param name="t">(N).</param>
    /// <param name="noise">That of <see cref="NoiseFor"/>.</param>
    public abstract (Tensor Point, Tensor Velocity) At(Tensor x0, Tensor x1, Tensor t, Tensor? noise);

    /// <summary>The squared lengths of the ways from all latents to all data, (N, N) in float64.</summary>
    public abstract Tensor Costs(Tensor x0, Tensor x1);
}
