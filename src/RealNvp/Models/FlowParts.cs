using static TorchSharp.torch;

namespace RealNvp;

/// <summary>What a model is made of: what <see cref="ModelOptions.Build"/> gives.</summary>
public sealed class FlowParts
{
    /// <summary>Parts with a base density of standard normals and without an encoder, unless these are set.</summary>
    /// <param name="bijection">The map from data to latents.</param>
    public FlowParts(Bijection bijection)
    {
        ArgumentNullException.ThrowIfNull(bijection);
        Bijection = bijection;
    }

    /// <summary>The map from data to latents.</summary>
    public Bijection Bijection { get; }

    /// <summary>The density of the latents; null for standard normals.</summary>
    public Density? BaseDensity { get; init; }

    /// <summary>What turns contexts into vectors; null if they are vectors.</summary>
    public ContextEncoder? ContextEncoder { get; init; }
}
