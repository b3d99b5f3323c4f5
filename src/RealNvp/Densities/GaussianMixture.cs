using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// A mixture of K normals with learned weights, means and standard deviations: log p(z) = log Σ πₖ N(z; mₖ, diag σₖ²). With a context, all
/// of them come from a network of it.
/// </summary>
/// <remarks>
/// New means are drawn from a standard normal, so that the parts differ; new weights are equal. |log σ| is limited to 16 in its effect. A
/// temperature scales the spread of each part about its mean. Samples have no gradients: the choice of a part has none. State-dict keys:
/// <c>logits</c> (K), <c>means</c>, <c>log_scales</c> (K, D); with a context <c>network.*</c> in addition, whose output is added to them.
/// </remarks>
public sealed partial class GaussianMixture : Density
{
    private readonly TorchSharp.Modules.Parameter logits, means, log_scales;
    private readonly nn.Module<Tensor, Tensor?, Tensor>? network;

    /// <summary>Makes the density.</summary>
    /// <param name="shape">The shape of one latent.</param>
    /// <param name="components">K, the number of normals, at least 1.</param>
    /// <param name="contextSize">C, the number of context features; 0 for none.</param>
    /// <param name="hidden">The hidden features of the network of a context.</param>
    /// <param name="inputLimit">c &gt; 0: that network sees x / √(1 + (x/c)²), which stays
    /// within ±c, in place of each number x of the context; null for x itself.</param>
    public GaussianMixture(EventShape shape, long components, long contextSize = 0, long hidden = 64, double? inputLimit = null)
        : base(nameof(GaussianMixture), shape)
    {
        Components = Check.Positive(components, nameof(components), "The number of components");
        Internal.Check.NotNegative(contextSize, nameof(contextSize), "The number of context features");
        ContextSize = contextSize;
        var d = shape.NumElements;
        Weights.Pay((Int128)components * (1 + (2 * d)), 3);
        if (contextSize > 0) network = new ResidualMlp(contextSize, components * (1 + (2 * d)), hidden, 1, inputLimit: inputLimit);
        logits = Weights.Parameter(zeros(components));
        means = Weights.Parameter(Weights.Normal(components, d));
        log_scales = Weights.Parameter(zeros(components, d));
        RegisterComponents();
    }

    /// <summary>K, the number of normals.</summary>
    public long Components { get; }

    /// <inheritdoc/>
    public override long ContextSize { get; }

    /// <inheritdoc/>
    protected override Tensor LogProbCore(Tensor z, Tensor? context)
    {
        using var scope = NewDisposeScope();
        var (w, m, s) = Parts(context);
        return scope.MoveToOuter(Gaussian.LogProb(z.flatten(1).unsqueeze(1), m, s).add(w.log_softmax(-1), Scalars.One).logsumexp(1));
    }

    /// <inheritdoc/>
    protected override Tensor SampleCore(long count, double temperature, ScalarType dtype, Device device, Generator? generator,
        Tensor? context)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var (w, m, s) = Parts(context);
        var d = Shape.NumElements;
        // Gumbel's trick picks a part by its weight; uniform numbers of float32 can be 0
        var uniform = Noise.Uniform([count, Components], ScalarType.Float64, device, generator).clamp_min(Scalars.Of(1e-300));
        var part = uniform.log().neg().log().neg().add(w.to(float64), Scalars.One).argmax(1).reshape(count, 1, 1).expand(count, 1, d);
        var (mean, logScale) = (m.expand(count, Components, d).gather(1, part).squeeze(1), s.expand(count, Components, d).gather(1,
            part).squeeze(1));
        var z = Normals(count, temperature, dtype, device, generator).mul(logScale.exp()).add(mean, Scalars.One);
        return scope.MoveToOuter(z.reshape(Shape.WithBatch(count)));
    }

    // (K) and (K, D), or (N, K) and (N, K, D) with a context
    private (Tensor Logits, Tensor Means, Tensor LogScales) Parts(Tensor? context)
    {
        if (network is null) return (logits, means, Gaussian.Limited(log_scales));
        var (k, d) = (Components, Shape.NumElements);
        var all = network.call(context!, null);
        return (all.narrow(1, 0, k).add(logits, Scalars.One), all.narrow(1, k, k * d).unflatten(1, [k, d]).add(means, Scalars.One),
            Gaussian.Limited(all.narrow(1, k + (k * d), k * d).unflatten(1, [k, d]).add(log_scales, Scalars.One)));
    }
}
