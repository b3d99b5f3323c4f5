using RealNvp.Layers;
using System.Runtime.InteropServices;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public partial class Flow
{
    /// <summary>Draws examples: z from the base density, x = f⁻¹(z). Without gradients.</summary>
    /// <remarks>
    /// The latents of all examples are drawn first and then mapped some at
    /// a time, so the samples of a seed do not depend on the batch size.
    /// </remarks>
    /// <param name="count">N, the number of examples, for each context if there are contexts; 0 or more.</param>
    /// <param name="context">(M, C) for a conditional flow.</param>
    /// <param name="temperature">Scales the latents; 1 is the model, smaller values give more typical examples. Positive or 0.</param>
    /// <param name="seed">Makes the result repeatable; null draws from torch's generator.</param>
    /// <param name="dtype">
    /// The dtype of the samples: float32, float64, or null for that of the weights. float64 brings digits
    /// back that only data in float64 had, such as seconds since 1970, if the flow begins with a layer that
    /// converts (<see cref="Bijection.ConvertsDtype"/>), as a <see cref="Standardization"/> does.
    /// </param>
    /// <param name="batchSize">The number of examples at a time, at least 1; null for what suits the shape.</param>
    /// <param name="progress">Hears after each batch how many examples are done, of M·N.</param>
    /// <param name="cancellationToken">Ends the call between two batches.</param>
    /// <returns>(N, ...), or (M, N, ...) with contexts, on the device of the weights.</returns>
    /// <exception cref="NonFiniteException">A layer gave NaN or infinity; it names the layer.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public Tensor Sample(long count, Tensor? context = null, double temperature = 1, long? seed = null, ScalarType? dtype = null,
        int? batchSize = null, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        Tensor? latents = null;
        if (context is null && IsPlain(batchSize, progress, cancellationToken)
            && FewSamples(count, temperature, seed, dtype, out latents) is { } few) return few;
        using (latents)
        {
            using var wanted = Wanted(dtype);
            using var scope = NewDisposeScope();
            return scope.MoveToOuter(OutDtype(SampleFor(count, context, temperature, seed, $"{GetName()}.{nameof(Sample)}",
                Passing(batchSize, progress, cancellationToken), wantsLogProb: false, latents).Samples, dtype));
        }
    }

    /// <summary>Draws examples with their log-probability under the model, in one pass. Without gradients.</summary>
    /// <remarks>
    /// The log-probability is that of the model, at temperature 1. If the flow dequantizes, it is that of the continuous value before
    /// it was rounded, in the same unit as that of data.
    /// </remarks>
    /// <inheritdoc cref="Sample"/>
    /// <returns>The samples, and (N) or (M, N) log-probabilities in nats.</returns>
    public (Tensor Samples, Tensor LogProb) SampleAndLogProb(long count, Tensor? context = null, double temperature = 1, long? seed = null,
        ScalarType? dtype = null, int? batchSize = null, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        using var wanted = Wanted(dtype);
        using var scope = NewDisposeScope();
        var (x, logProb) = SampleFor(count, context, temperature, seed, $"{GetName()}.{nameof(SampleAndLogProb)}",
            Passing(batchSize, progress, cancellationToken));
        return (scope.MoveToOuter(OutDtype(x, dtype)), scope.MoveToOuter(logProb!));
    }

    /// <summary>
    /// Draws examples with gradients: the reparameterized twin of <see cref="SampleAndLogProb"/>. x = f⁻¹(z) is differentiable with respect
    /// to the weights and the context, since the noise z does not depend on them (Rezende and Mohamed, arXiv 1505.05770).
    /// </summary>
    /// <remarks>
    /// The log-probability is that of the same pass, log p(x) = log p_Z(z) - log|det ∂f⁻¹/∂z|,
    /// and is differentiable too. <see cref="VariationalInference"/> has losses made of this.
    /// </remarks>
    /// <param name="count">N, the number of examples, for each context if there are contexts; 0 or more.</param>
    /// <param name="context">(M, C) for a conditional flow.</param>
    /// <param name="seed">Makes the result repeatable; null draws from torch's generator.</param>
    /// <returns>
    /// The samples (N, ...) and their log-probabilities (N) in nats, or (M, N, ...) and (M, N) with contexts, on the device and in the
    /// dtype of the weights. The caller disposes both.
    /// </returns>
    /// <exception cref="InvalidOperationException">The flow dequantizes, so its samples are whole numbers
    /// and have no gradients; or a layer draws random numbers, so a sample has no exact density; or its
    /// base density has weights to train, but draws samples without gradients.</exception>
    public (Tensor Samples, Tensor LogProb) RSampleAndLogProb(long count, Tensor? context = null, long? seed = null)
    {
        var owner = $"{GetName()}.{nameof(RSampleAndLogProb)}";
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        var (x, logProb) = RSampleFor(count, context, seed, owner);
        return (x, logProb!);
    }

    /// <summary>Draws examples for <paramref name="owner"/>, without gradients, arranged by
    /// context; null for a log-probability that is not wanted. Latents that have been drawn are not drawn again.</summary>
    internal (Tensor Samples, Tensor? LogProb) SampleFor(long count, Tensor? context, double temperature, long? seed, string owner,
        Passes passes, bool wantsLogProb = true, Tensor? latents = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        if (!(temperature >= 0 && double.IsFinite(temperature)))
            throw new ArgumentOutOfRangeException(nameof(temperature), temperature, "The temperature must be finite and not negative.");
        CheckContext(context, null, owner);
        using var gradients = no_grad();
        using var scope = NewDisposeScope();
        var (x, logProb) = ByContext(Draw(count, context, temperature, seed, owner, passes, check: true, wantsLogProb, latents), count,
            context);
        return (scope.MoveToOuter(x), logProb is null ? null : scope.MoveToOuter(logProb));
    }

    /// <summary>Draws examples for <paramref name="owner"/>, with gradients, arranged by
    /// context; null for a log-probability that is not wanted.</summary>
    internal (Tensor Samples, Tensor? LogProb) RSampleFor(long count, Tensor? context, long? seed, string owner, bool wantsLogProb = true)
    {
        if (IsStochastic) throw new InvalidOperationException(Stochastic(owner));
        CheckContext(context, null, owner);
        using var scope = NewDisposeScope();
        var (x, logProb) = ByContext(Draw(count, context, 1, seed, owner, Passes.One, check: false, wantsLogProb), count, context);
        return (scope.MoveToOuter(x), logProb is null ? null : scope.MoveToOuter(logProb));
    }

    /// <summary>True if data are mapped at random, as with dequantization: a sample has no exact density then.</summary>
    internal bool IsStochastic { get; }

    /// <summary>Where samples are drawn.</summary>
    internal Device SamplingDevice
    {
        get
        {
            // callers ask before their call has begun, when another thread may free the weights
            using var gate = EvaluationGate.Read(this);
            return KnownWeight?.device ?? get_default_device();
        }
    }

    /// <summary>Says why <paramref name="owner"/> refuses a flow that maps at random.</summary>
    internal string Stochastic(string owner)
    {
        if (bijection.Dequantizes)
            return $"{owner} needs samples with an exact density and gradients, but this flow dequantizes: its samples are whole " +
                $"numbers. Build it for continuous data (Levels = 0).";
        var layer = bijection.named_modules().Where(m => m.module is Bijection { IsStochastic: true })
            .Select(m => $"layer {m.name} ({m.module.GetName()})").LastOrDefault() ?? $"bijection ({bijection.GetName()})";
        return $"{owner} needs samples with an exact density, but the {layer} of this flow draws random numbers (IsStochastic), so a " +
            $"sample has none. Leave the layer out.";
    }

    /// <summary>
    /// Draws samples (M·N, ...) in evaluation mode, those of one context after those of the other, and log p (M·N), if it is wanted.
    /// Differentiable if gradients are on. Runs in the caller's dispose scope; arguments are checked.
    /// </summary>
    internal (Tensor X, Tensor? LogProb) Draw(long count, Tensor? context, double temperature, long? seed, string owner, Passes passes,
        bool check = true, bool wantsLogProb = true, Tensor? drawn = null)
    {
        const string operation = "sample";
        var begun = FlowMetrics.Begin();
        try
        {
            var result = DrawRows(count, context, temperature, seed, owner, passes, check, wantsLogProb, drawn);
            FlowMetrics.End(begun, operation, this, count * (context?.shape[0] ?? 1));
            return result;
        }
        catch (Exception e) when (FlowMetrics.Failed(begun, operation, this, e)) { throw; }
    }

    private (Tensor X, Tensor? LogProb) DrawRows(long count, Tensor? context, double temperature, long? seed, string owner, Passes passes,
        bool check, bool wantsLogProb, Tensor? drawn)
    {
        using var mode = EvaluationGate.Evaluate(this);
        var weight = KnownWeight;
        var (device, dtype) = (weight?.device ?? get_default_device(), weight?.dtype ?? get_default_dtype());
        using var random = PassState.Seed(seed);
        var total = MemoryCheck.Samples(context?.shape[0] ?? 1, count, LatentShape.NumElements, dtype, owner);
        Tensor? features;
        Tensor z;
        try
        {
            features = Features(context, dtype, owner)?.repeat_interleave(count, 0);
            z = drawn ?? Latents(total, temperature, dtype, device, ForBase(features));
        }
        catch (ExternalException e) when (MemoryCheck.Of(e, owner, total, total) is { } error) { throw error; }
        if (is_grad_enabled() && !z.requires_grad && base_density.parameters().Any(p => p.requires_grad))
            throw new InvalidOperationException(
                $"{base_density.GetName()} has weights that are trained, but draws its samples without gradients, so theirs would be " +
                $"wrong. Freeze them: set requires_grad to false.");
        if (is_grad_enabled()) passes = passes.AtOnce();
        else if (check && total <= FlowRows.Most && passes.Takes(total) && FewSamples(z, features) is var (few, sums))
        {
            if (!wantsLogProb) return (few, null);
            var density = base_density.LogProb(z, ForBase(features)).sub(sums);
            // what is not finite has a name by the other way
            if (Numbers.AreFinite(density)) return (few, density);
        }
        if (!wantsLogProb)
            return (passes.Run(total, InputShape.NumElements, owner, (start, size) => Decoded(start, size).X), null);
        return passes.Run(total, InputShape.NumElements, owner, (start, size) =>
        {
            var (x, logDet) = Decoded(start, size);
            var (latents, given) = Rows(z, features, start, size);
            var logProb = base_density.LogProb(latents, ForBase(given)).sub(logDet);
            if (check && !Numbers.AreFinite(logProb))
                CheckLogDensities(logProb, start, owner, rows => Again(latents, given, rows));
            return (x, logProb);
        });

        (Tensor X, Tensor LogDet) Decoded(long start, long size)
        {
            var (latents, given) = Rows(z, features, start, size);
            var result = Applied(owner, latents, ForBijection(given), inverse: true, wantsLogProb);
            if (check && !Numbers.AreFinite(result.Value))
                throw NotFinite(result.Value, start, owner, rows => Again(latents, given, rows));
            return result;
        }

        void Again(Tensor latents, Tensor? given, Tensor rows) => Applied(owner, latents.index_select(0, rows),
            ForBijection(given)?.index_select(0, rows), inverse: true, wantsLogProb);
    }

    // a density may need more memory for a latent than the latent has: it draws blocks, whose size is part of what a seed means
    private Tensor Latents(long count, double temperature, ScalarType dtype, Device device, Tensor? features)
    {
        const long block = 1 << 16;
        if (count <= block) return base_density.Sample(count, temperature, dtype, device, PassState.Current?.Generator, features);
        // a number of samples that the device cannot hold fails here, and not after all of it is full
        empty(LatentShape.WithBatch(count), dtype, device).Dispose();
        List<Tensor> blocks = [];
        for (long start = 0; start < count; start += block)
        {
            var size = Math.Min(block, count - start);
            blocks.Add(base_density.Sample(size, temperature, dtype, device, PassState.Current?.Generator,
                features?.narrow(0, start, size)));
        }
        return cat(blocks);
    }

    /// <summary>∂ log p(x | context)/∂x in evaluation mode, of the shape of x, with
    /// weights and context held constant. The caller disposes it.</summary>
    internal Tensor LogProbGradient(Tensor x, Tensor? context)
    {
        using var mode = EvaluationGate.Evaluate(this);
        using var gradients = enable_grad();
        using var scope = NewDisposeScope();
        var leaf = x.detach().requires_grad_(true);
        var logProb = LogProbOf(GetName(), leaf, Features(context?.detach(), leaf.dtype, GetName())).sum();
        // backward with inputs leaves the gradients of the weights alone, and unlike autograd.grad it throws if something fails
        if (logProb.requires_grad) autograd.backward([logProb], inputs: [leaf]);
        return scope.MoveToOuter(leaf.grad ?? zeros_like(leaf));
    }

    /// <summary>The gradient of log p of the latents by x, without the log-determinant, in evaluation mode; otherwise as
    /// <see cref="LogProbGradient"/>.</summary>
    internal Tensor LatentGradient(Tensor x)
    {
        using var mode = EvaluationGate.Evaluate(this);
        using var gradients = enable_grad();
        using var scope = NewDisposeScope();
        var leaf = x.detach().requires_grad_(true);
        var (z, _) = Applied(GetName(), leaf, null, wantsLogDet: false);
        var logProb = base_density.LogProb(z).sum();
        if (logProb.requires_grad) autograd.backward([logProb], inputs: [leaf]);
        return scope.MoveToOuter(leaf.grad ?? zeros_like(leaf));
    }

    private (Tensor X, Tensor? LogProb) ByContext((Tensor X, Tensor? LogProb) drawn, long count, Tensor? context) => context is null
        ? drawn
        : (drawn.X.reshape(InputShape.WithBatch(context.shape[0], count)), drawn.LogProb?.reshape(context.shape[0], count));
}
