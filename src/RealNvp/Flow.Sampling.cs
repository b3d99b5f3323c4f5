using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public partial class Flow
{
    /// <summary>
    /// Draws examples with gradients: the reparameterized twin of <see cref="SampleAndLogProb"/>. x = f⁻¹(z) is differentiable with respect
    /// to the weights and the context, since the noise z does not depend on them (Rezende and Mohamed, arXiv 1505.05770).
    /// </summary>
    /// <remarks>
    /// The log-probability is that of the same pass, log p(x) = log p_Z(z) - log|det ∂f⁻¹/∂z|, and is differentiable too. <see cref="VariationalInference"/>
    /// has losses made of this.
    /// </remarks>
    /// <param name="count">N, the number of examples, for each context where there are contexts; 0 or more.</param>
    /// <param name="context">(M, C) for a conditional flow.</param>
    /// <param name="seed">Makes the result repeatable; null draws from torch's generator.</param>
    /// <returns>
    /// The samples (N, ...) and their log-probabilities (N) in nats, or (M, N, ...) and (M, N) with contexts, on the device and in the
    /// dtype of the weights. The caller disposes both.
    /// </returns>
    /// <exception cref="InvalidOperationException">The flow dequantizes, so its samples are whole numbers and have no gradients; or its base density has weights to train, but draws samples without gradients.</exception>
    public (Tensor Samples, Tensor LogProb) RSampleAndLogProb(long count, Tensor? context = null, long? seed = null)
    {
        var owner = $"{GetName()}.{nameof(RSampleAndLogProb)}";
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        if (IsStochastic) throw new InvalidOperationException(Stochastic(owner));
        CheckContexts(context, owner);
        using var scope = NewDisposeScope();
        var (x, logProb) = ByContext(Draw(count, context, 1, seed), count, context);
        return (scope.MoveToOuter(x), scope.MoveToOuter(logProb));
    }

    /// <summary>True where data are mapped at random, as with dequantization: a sample has no exact density then.</summary>
    internal bool IsStochastic { get; }

    /// <summary>Where samples are drawn.</summary>
    internal Device SamplingDevice => Weight?.device ?? get_default_device();

    /// <summary>Says why <paramref name="owner"/> refuses a flow that maps at random.</summary>
    internal static string Stochastic(string owner) =>
        $"{owner} needs samples with an exact density and gradients, but this flow dequantizes: its samples are whole numbers. Build it for continuous data (Levels = 0).";

    /// <summary>Checks contexts (M, C) of which each is to have its own samples.</summary>
    internal void CheckContexts(Tensor? context, string owner)
    {
        if (context_encoder is { } encoder)
        {
            encoder.CheckContext(context, null, owner, values: true);
            return;
        }
        if (context is not null && context.dim() != 2) throw new ArgumentException($"{owner} expects a context of shape (M, {ContextSize}); got {EventShape.Format(context.shape)}.", nameof(context));
        Check.Context(context, ContextSize, context?.shape[0] ?? 0, owner, Weight);
    }

    /// <summary>
    /// Draws samples (M·N, ...) in evaluation mode, those of one context after those of the other, and log p (M·N). Differentiable where
    /// gradients are on. Runs in the caller's dispose scope; arguments are checked.
    /// </summary>
    internal (Tensor X, Tensor LogProb) Draw(long count, Tensor? context, double temperature, long? seed)
    {
        using var mode = EvaluationMode.Enter(this);
        var weight = Weight;
        var (device, dtype) = (weight?.device ?? get_default_device(), weight?.dtype ?? get_default_dtype());
        using var random = RandomSource.Use(seed);
        var contexts = context?.shape[0] ?? 1;
        var features = Features(context, contexts, dtype, nameof(Sample))?.repeat_interleave(count, 0);
        var z = base_density.Sample(contexts * count, temperature, dtype, device, RandomSource.Current, ForBase(features));
        if (is_grad_enabled() && !z.requires_grad && base_density.parameters().Any(p => p.requires_grad))
            throw new InvalidOperationException($"{base_density.GetName()} has weights that are trained, but draws its samples without gradients, so theirs would be wrong. Freeze them: set requires_grad to false.");
        var (x, logDet) = bijection.Inverse(z, ForBijection(features));
        return (x, base_density.LogProb(z, ForBase(features)).sub(logDet));
    }

    /// <summary>∂ log p(x | context)/∂x in evaluation mode, of the shape of x, with weights and context held constant. The caller disposes it.</summary>
    internal Tensor LogProbGradient(Tensor x, Tensor? context)
    {
        using var mode = EvaluationMode.Enter(this);
        using var gradients = enable_grad();
        using var scope = NewDisposeScope();
        var leaf = x.detach().requires_grad_(true);
        var logProb = LogProbOf(leaf, context?.detach(), null).sum();
        // backward with inputs leaves the gradients of the weights alone, and unlike autograd.grad it throws where something fails
        if (logProb.requires_grad) autograd.backward([logProb], inputs: [leaf]);
        return scope.MoveToOuter(leaf.grad ?? zeros_like(leaf));
    }

    private (Tensor X, Tensor LogProb) ByContext((Tensor X, Tensor LogProb) drawn, long count, Tensor? context) => context is null
        ? drawn
        : (drawn.X.reshape(InputShape.WithBatch(context.shape[0], count)), drawn.LogProb.reshape(context.shape[0], count));
}
