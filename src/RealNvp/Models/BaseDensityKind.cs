namespace RealNvp;

/// <summary>The density of a model's latents.</summary>
public enum BaseDensityKind
{
    /// <summary>Independent standard normals.</summary>
    StandardNormal,

    /// <summary>Independent standard logistics, as in NICE.</summary>
    StandardLogistic,
}
