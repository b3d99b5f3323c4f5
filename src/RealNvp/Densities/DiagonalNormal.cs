using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Independent normals with a learned mean and standard deviation of each element; with a context, both come from a network of it:
/// log p(z | c) = Σ log N(zᵢ; mᵢ(c), σᵢ(c)²).
/// </summary>
/// <remarks>
/// A new one is the standard normal. |log σ| is limited to 16 in its effect. State-dict keys: <c>mean</c>, <c>log_scale</c>, of the shape
/// of a latent; with a context <c>network.*</c>. Samples have gradients to the weights (reparameterization).
/// </remarks>
public sealed partial class DiagonalNormal : Density, IElementCdf
{
    private readonly TorchSharp.Modules.Parameter? mean, log_scale;
    private readonly nn.Module<Tensor, Tensor?, Tensor>? network;

    /// <summary>Makes the density.</summary>
    /// <param name="shape">The shape of one latent.</param>
    /// <param name="contextSize">C, the number of context features; 0 for none.</param>
    /// <param name="hidden">The hidden features of the network of a context.</param>
    /// <param name="inputLimit">c &gt; 0: that network sees x / √(1 + (x/c)²), which stays
    /// within ±c, in place of each number x of the context; null for x itself.</param>
    public DiagonalNormal(EventShape shape, long contextSize = 0, long hidden = 64, double? inputLimit = null)
        : base(nameof(DiagonalNormal), shape)
    {
        Internal.Check.NotNegative(contextSize, nameof(contextSize), "The number of context features");
        ContextSize = contextSize;
        if (contextSize > 0) network = new ResidualMlp(contextSize, 2 * shape.NumElements, hidden, 1, inputLimit: inputLimit);
        else
        {
            Weights.Pay(2 * shape.NumElements, 2);
            mean = Weights.Parameter(zeros(shape.ToArray()));
            log_scale = Weights.Parameter(zeros(shape.ToArray()));
        }
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override long ContextSize { get; }

    /// <inheritdoc/>
    protected override Tensor LogProbCore(Tensor z, Tensor? context)
    {
        using var scope = NewDisposeScope();
        var (m, s) = Moments(context);
        return scope.MoveToOuter(Gaussian.LogProb(z.flatten(1), m, s));
    }

    /// <inheritdoc/>
    public Tensor Cdf(Tensor z, Tensor? context)
    {
        CheckForCdf(z, context);
        using var scope = NewDisposeScope();
        var (m, s) = Moments(context);
        return scope.MoveToOuter(Gaussian.Cdf(z.flatten(1).sub(m).mul(s.neg().exp())).reshape(z.shape));
    }

    /// <inheritdoc/>
    protected override Tensor SampleCore(long count, double temperature, ScalarType dtype, Device device, Generator? generator,
        Tensor? context)
    {
        using var scope = NewDisposeScope();
        var (m, s) = Moments(context);
        var z = Normals(count, temperature, dtype, device, generator).mul(s.exp()).add(m, Scalars.One);
        return scope.MoveToOuter(z.reshape(Shape.WithBatch(count)));
    }

    // (N, D) with a context, (D) without
    private (Tensor Mean, Tensor LogScale) Moments(Tensor? context)
    {
        if (network is null) return (mean!.flatten(), Gaussian.Limited(log_scale!.flatten()));
        var both = network.call(context!, null);
        var d = Shape.NumElements;
        return (both.narrow(1, 0, d), Gaussian.Limited(both.narrow(1, d, d)));
    }
}
