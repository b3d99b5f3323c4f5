namespace RealNvp;

/// <summary>The density of a model's latents.</summary>
public enum BaseDensityKind
{
    /// <summary>Independent standard normals.</summary>
    StandardNormal,

    /// <summary>Independent standard logistics, as in NICE: tails like exp(−|z|).</summary>
    StandardLogistic,

    /// <summary>
    /// Independent Student's t variables whose degrees of freedom are learned, from <see cref="ModelOptions.BaseDegreesOfFreedom"/>
    /// on: tails like a power of |z|, so that one row far out costs some nats, and not thousands.
    /// </summary>
    StudentT,

    /// <summary>Independent normals with a learned mean and standard deviation, given the context if there is one.</summary>
    DiagonalNormal,

    /// <summary>A mixture of <see cref="ModelOptions.BaseComponents"/> normals with learned
    /// weights, means and standard deviations, given the context if there is one.</summary>
    GaussianMixture,

    /// <summary>
    /// Uniform within ± Bound in each element, for splines alone: they map that box onto itself then, and data outside of
    /// it have density 0. Nothing else may change the box: no standardization, no linear layers, no batch normalization.
    /// </summary>
    UniformBox,

    /// <summary>
    /// A standard normal with learned acceptance, which can have holes. Call
    /// <see cref="ResampledNormal.EstimateNormalizer"/> of the model's <see cref="Flow.BaseDensity"/> after training.
    /// </summary>
    ResampledNormal,

    /// <summary>Uniform on the unit sphere, for <see cref="FfjordModel"/> alone, whose
    /// velocity is along the sphere then: data are unit vectors, and densities are by area.</summary>
    UniformSphere,
}
