using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Real NVP (Dinh, Sohl-Dickstein, Bengio, arXiv 1605.08803) and NICE (arXiv 1410.8516), for vectors and for images, built from a
/// <see cref="RealNvpOptions"/> record.
/// </summary>
/// <remarks>
/// <para>Images: scales of 3 checkerboard couplings, squeeze, 3 channel-wise couplings, half of the variables out; the last scale has 4
/// checkerboard couplings. Latents are vectors (N, D); <see cref="SplitLatent"/> parts them by scale. Vectors: a chain of couplings.</para>
/// <para>A new model is the identity but for its preprocessing. It is in training mode; <c>eval()</c> makes it safe for several threads.</para>
/// </remarks>
public sealed partial class RealNvpModel : Flow
{
    /// <summary>Builds a model with new weights, on torch's default device and in its default dtype.</summary>
    /// <param name="options">What to build; presets are static members of <see cref="RealNvpOptions"/>.</param>
    /// <param name="seed">Makes the initial weights repeatable: it seeds torch's default generator. Null leaves the generator alone.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public RealNvpModel(RealNvpOptions options, long? seed = null)
        : base(nameof(RealNvpModel), Checked(options, seed).Shape, RealNvpBuilder.Build(options), RealNvpBuilder.Base(options)) => Options = options;

    /// <summary>What the model was built from.</summary>
    public RealNvpOptions Options { get; }

    /// <summary>The shapes of the parts of a latent: one a scale for images, one in all for vectors.</summary>
    public IReadOnlyList<EventShape> LatentShapes => Scales?.LatentShapes ?? [LatentShape];

    /// <summary>The standardization at the start of the model, or null where there is none. The trainer fits it.</summary>
    public Standardization? Standardization => ((Chain)Bijection).Layers.OfType<Standardization>().FirstOrDefault();

    /// <summary>Parts a latent (N, D) by scale, coarse parts last. The caller disposes the parts; the latent stays.</summary>
    public Tensor[] SplitLatent(Tensor z)
    {
        if (Scales is { } scales) return scales.Split(z);
        Check.Batch(z, nameof(z), $"{GetName()}.{nameof(SplitLatent)}", LatentShape);
        return [z.alias()];
    }

    /// <summary>Joins the parts of a latent into one (N, D). The caller disposes it; the parts stay.</summary>
    public Tensor JoinLatent(params IReadOnlyList<Tensor> parts)
    {
        if (Scales is { } scales) return scales.Join(parts);
        ArgumentNullException.ThrowIfNull(parts);
        return parts.Count == 1 ? parts[0].alias() : throw new ArgumentException($"The latent of a vector has 1 part; got {parts.Count}.", nameof(parts));
    }

    /// <summary>
    /// Interpolates between four examples on the sphere of their latents (Real NVP, section 4.1, equation 19):
    /// z = cos φ (cos φ' z₁ + sin φ' z₂) + sin φ (cos φ' z₃ + sin φ' z₄).
    /// </summary>
    /// <param name="x">(4, ...): the corners top left, top right, bottom left, bottom right of the grid.</param>
    /// <param name="steps">The number K of rows and of columns; at least 2.</param>
    /// <param name="maxAngle">φ and φ' go from 0 to this; π/2 has the four examples in the corners.</param>
    /// <param name="context">
    /// For a conditional model: (1, C), one context for all, or (4, C), one of each example. Four are mixed with the squares of the
    /// weights above, which sum to 1.
    /// </param>
    /// <param name="seed">Fixes the noise of a dequantization.</param>
    /// <returns>(K, K, ...): φ by row, φ' by column. The caller disposes it. Without gradients.</returns>
    public Tensor Interpolate(Tensor x, int steps = 8, double maxAngle = Math.PI / 2, Tensor? context = null, long? seed = null)
    {
        Check.Batch(x, nameof(x), $"{GetName()}.{nameof(Interpolate)}", InputShape);
        if (x.shape[0] != 4) throw new ArgumentException($"{nameof(Interpolate)} takes 4 examples; got {x.shape[0]}.", nameof(x));
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 2);
        Check.Context(context, ContextSize, context is { } c && c.dim() == 2 && c.shape[0] == 4 ? 4 : 1, $"{GetName()}.{nameof(Interpolate)}", Weight);
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var z = Encode(x, context?.expand(4, -1), seed);
        var angles = linspace(0, maxAngle, steps, dtype: z.dtype, device: z.device);
        var (cos, sin) = (angles.cos(), angles.sin());
        var (rowCos, rowSin) = (cos.reshape(steps, 1).expand(-1, steps), sin.reshape(steps, 1).expand(-1, steps));
        var (columnCos, columnSin) = (cos.reshape(1, steps).expand(steps, -1), sin.reshape(1, steps).expand(steps, -1));
        var weights = stack([rowCos.mul(columnCos), rowCos.mul(columnSin), rowSin.mul(columnCos), rowSin.mul(columnSin)], 2).reshape(-1, 4);
        var contexts = context?.shape[0] == 4 ? weights.square().matmul(context) : context?.expand(steps * steps, -1);
        var images = Decode(weights.matmul(z.flatten(1)).reshape(LatentShape.WithBatch(steps * steps)), contexts);
        return scope.MoveToOuter(images.reshape(InputShape.WithBatch(steps, steps)));
    }

    private MultiScale? Scales => ((Chain)Bijection).Layers.OfType<MultiScale>().FirstOrDefault();

    private static RealNvpOptions Checked(RealNvpOptions options, long? seed)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        TorchBackend.Checked(nameof(RealNvpModel));
        if (seed is { } s) manual_seed(s);
        return options;
    }
}
