using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A density on latents: log-probability and sampling. It is the base of a flow.</summary>
public abstract class Density : nn.Module
{
    /// <summary>Makes a density for latents of one shape.</summary>
    /// <param name="name">The name that errors show.</param>
    /// <param name="shape">The shape of one latent, all sizes known.</param>
    protected Density(string name, EventShape shape) : base(TorchBackend.Checked(name))
    {
        if (!shape.IsFixed) throw new ArgumentException($"A density needs a shape with all sizes known; got {shape}.", nameof(shape));
        Shape = shape;
    }

    /// <summary>The shape of one latent.</summary>
    public EventShape Shape { get; }

    /// <summary>log p(z) of latents of shape (N, ...): shape (N), in nats. The caller disposes it.</summary>
    public abstract Tensor LogProb(Tensor z);

    /// <summary>Draws <paramref name="count"/> latents of shape (N, ...). The caller disposes them.</summary>
    /// <param name="count">N.</param>
    /// <param name="temperature">Scales the spread; 1 is the density itself, smaller is closer to its mode.</param>
    /// <param name="dtype">The dtype of the latents.</param>
    /// <param name="device">The device of the latents.</param>
    /// <param name="generator">The source of randomness; null is torch's default generator.</param>
    public abstract Tensor Sample(long count, double temperature, ScalarType dtype, Device device, Generator? generator);
}
