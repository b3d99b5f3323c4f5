using RealNvp.Kernels;
using RealNvp.Layers;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A density of vectors that says what it is on few rows.</summary>
internal interface IRowDensity
{
    /// <summary>The density on rows; null if there is none. Gradients and samples are those of tensors.</summary>
    RowDensity? Rows(RowBuilder builder);
}

/// <summary>One that makes few latents number by number, of the noise that the tensors of a sample are made of.</summary>
internal unsafe interface IDrawsRows : IRowDensity
{
    /// <summary>Draws latents without tensors but for the noise; false, and nothing is drawn, if its weights cannot be read.</summary>
    /// <param name="count">How many latents.</param>
    /// <param name="temperature">Scales them; finite, 0 or more.</param>
    /// <param name="generator">The source; null is torch's own.</param>
    /// <param name="z">Gets (count, D), not yet rounded to the dtype of the flow.</param>
    bool TryDraw(int count, double temperature, Generator? generator, double* z);
}
