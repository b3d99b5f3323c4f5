using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// A density p(θ | context) as <see cref="Diagnostics"/> need it: it draws samples for each context, and may know log p. A flow is
/// one by itself; anything else, such as a Markov chain or a formula, is one by delegates.
/// </summary>
/// <remarks>Letters: M contexts, K points, L draws for each context. It owns nothing; a flow stays the caller's.</remarks>
public sealed class ConditionalDensity
{
    private readonly Func<Tensor, int, long, Tensor>? sample;
    private readonly Func<Tensor, Tensor, Tensor>? logProb;

    /// <summary>Takes a flow, with or without a context.</summary>
    /// <param name="flow">It is only read.</param>
    public ConditionalDensity(Flow flow)
    {
        ArgumentNullException.ThrowIfNull(flow);
        Flow = flow;
    }

    /// <summary>Takes a sampler with a seed, and log p if it is known.</summary>
    /// <param name="sample">Gives (M, L, ...) draws for contexts (M, ...), the number L and a seed; the same for the same seed.</param>
    /// <param name="logProb">Gives log p (K) of points (K, ...) under contexts (K, ...), in nats and with any constant that is the same
    /// for all points of one context; minus infinity outside of the support. Null if it is not known.</param>
    public ConditionalDensity(Func<Tensor, int, long, Tensor> sample, Func<Tensor, Tensor, Tensor>? logProb = null)
    {
        ArgumentNullException.ThrowIfNull(sample);
        (this.sample, this.logProb) = (sample, logProb);
    }

    /// <summary>As the other one, of a sampler that takes no seed: results repeat if it does.</summary>
    /// <param name="sample">Gives (M, L, ...) draws for contexts (M, ...) and the number L.</param>
    /// <param name="logProb">As for the other constructor.</param>
    public ConditionalDensity(Func<Tensor, int, Tensor> sample, Func<Tensor, Tensor, Tensor>? logProb = null)
        : this(Seedless(sample), logProb) { }

    /// <summary>A flow is a density of its examples.</summary>
    public static implicit operator ConditionalDensity(Flow flow) => new(flow);

    /// <summary>Whether log p is known up to a constant for each context. That of a flow that dequantizes is not: its draws are whole
    /// numbers, and log p is that of numbers between them.</summary>
    public bool HasLogProb => Flow is { } flow ? !flow.IsStochastic : logProb is not null;

    internal Flow? Flow { get; }

    /// <summary>Checks true values (N, ...) and contexts (N, ...) before any work.</summary>
    internal void CheckArguments(Tensor theta, Tensor? context, string owner, string parameter)
    {
        Check.Batch(theta, parameter, owner, Flow?.InputShape);
        Check.NotMeta(theta, parameter);
        if (theta.shape[0] == 0 || theta.numel() == 0)
            throw new ArgumentException($"{owner} needs at least one row; {parameter} has shape {EventShape.Format(theta.shape)}.",
                parameter);
        if (theta.is_complex()) throw new ArgumentException($"{owner} expects real numbers; {parameter} has {theta.dtype}.", parameter);
        if (theta.is_floating_point()) Check.Finite(theta, parameter, owner);
        if (Flow is { } flow) flow.CheckContext(context, theta.shape[0], owner);
        else
        {
            if (context is null)
                throw new ArgumentNullException(nameof(context), $"{owner} of a sampler needs contexts, one for each row of {parameter}.");
            Check.Batch(context, nameof(context), owner, null);
            Check.NotMeta(context, nameof(context));
            if (context.shape[0] != theta.shape[0])
                throw new ArgumentException(
                    $"{owner} needs a context for each of the {theta.shape[0]} rows of {parameter}; got {context.shape[0]}.",
                    nameof(context));
            if (context.is_floating_point()) Check.Finite(context, nameof(context), owner);
        }
    }

    /// <summary>Draws (M, L, ...), and log p of them (M, L) if it is wanted, without gradients. Runs in the caller's scope.</summary>
    internal (Tensor Draws, Tensor? LogProb) Draw(Tensor theta, Tensor? context, int count, long seed, bool wantsLogProb, string owner)
    {
        var rows = theta.shape[0];
        if (Flow is { } flow)
        {
            ScalarType? dtype = theta.dtype == float64 && flow.SamplingDevice.type != DeviceType.MPS ? float64 : null;
            var (number, one) = context is null ? (rows * count, true) : (count, false);
            // log p of an estimate is random: that of draws and of true values comes by one and the same way
            if (wantsLogProb && flow.Likelihood.Kind == LikelihoodKind.Exact)
            {
                var (drawn, known) = flow.SampleAndLogProb(number, context, seed: seed, dtype: dtype);
                return one ? (drawn.reshape([rows, count, .. theta.shape[1..]]), known.reshape(rows, count)) : (drawn, known);
            }
            var samples = flow.Sample(number, context, seed: seed, dtype: dtype).reshape([rows, count, .. theta.shape[1..]]);
            return (samples, wantsLogProb ? LogProbOfDraws(samples, context, owner) : null);
        }
        var draws = sample!(context!, count, seed) ?? throw new ArgumentException($"{owner}: the sampler gave null.");
        Check.Tensor(draws, "sample");
        long[] wanted = [rows, count, .. theta.shape[1..]];
        if (!draws.shape.SequenceEqual(wanted))
            throw new ArgumentException(
                $"{owner} expects the sampler to give shape {EventShape.Format(wanted)}, {count} draws for each of {rows} contexts; got " +
                $"{EventShape.Format(draws.shape)}.");
        draws = draws.detach();
        Check.Finite(draws.is_floating_point() ? draws : draws.to(float64), "what the sampler gave", owner);
        return (draws, wantsLogProb ? LogProbOfDraws(draws, context, owner) : null);
    }

    /// <summary>log p (K) of points under contexts, without gradients. Runs in the caller's scope.</summary>
    internal Tensor LogProb(Tensor theta, Tensor? context, string owner, long seed)
    {
        if (Flow is { } flow) return flow.LogProb(theta, context, seed: seed);
        var values = logProb!(theta, context!);
        if (values is null || values.IsInvalid || values.dim() != 1 || values.shape[0] != theta.shape[0])
            throw new ArgumentException(
                $"{owner} expects logProb to give shape ({theta.shape[0]}), one number a point; got " +
                $"{(values is null || values.IsInvalid ? "none" : EventShape.Format(values.shape))}.");
        return values.detach();
    }

    private static Func<Tensor, int, long, Tensor> Seedless(Func<Tensor, int, Tensor> sample)
    {
        ArgumentNullException.ThrowIfNull(sample);
        return (context, count, _) => sample(context, count);
    }

    private Tensor LogProbOfDraws(Tensor draws, Tensor? context, string owner)
    {
        var (rows, count) = (draws.shape[0], draws.shape[1]);
        return LogProb(draws.flatten(0, 1), context?.repeat_interleave(count, 0), owner, rows).reshape(rows, count);
    }
}
