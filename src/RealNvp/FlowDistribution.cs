using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// A flow as a distribution of TorchSharp, for code that is written for those: <c>log_prob</c>, <c>sample</c>, <c>rsample</c>,
/// <c>batch_shape</c>, <c>event_shape</c>.
/// </summary>
/// <remarks>
/// <para>Without contexts the batch shape is (); with contexts (M, C) it is (M), one distribution
/// for each context. The event shape is that of one example. Samples have the shape (sample...,
/// batch..., event...), and log_prob takes such values and gives (sample..., batch...).</para>
/// <para>The flow and the context stay the caller's. A flow has no closed form of its mean, variance or entropy: these members throw
/// <see cref="NotSupportedException"/> and say how to estimate them.</para>
/// </remarks>
public sealed class FlowDistribution : distributions.Distribution
{
    private readonly Flow flow;
    private readonly Tensor? context;

    /// <summary>Makes a distribution of a flow.</summary>
    /// <param name="flow">The flow; it stays the caller's.</param>
    /// <param name="context">(M, ...) for a conditional flow; it must live as long as the distribution is used.</param>
    public FlowDistribution(Flow flow, Tensor? context = null)
        : this(flow, context, context is null || context.IsInvalid || context.dim() == 0 ? [] : [context.shape[0]]) { }

    private FlowDistribution(Flow flow, Tensor? context, long[] batch)
        : base((Generator)null!, batch, (flow ?? throw new ArgumentNullException(nameof(flow))).InputShape.ToArray())
    {
        flow.CheckContext(context, null, nameof(FlowDistribution));
        (this.flow, this.context) = (flow, context);
    }

    /// <summary>The flow.</summary>
    public Flow Flow => flow;

    /// <summary>Not known in closed form.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public override Tensor mean => throw Unknown("mean", "sample(10000).mean([0L])");

    /// <summary>Not known in closed form.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public override Tensor variance => throw Unknown("variance", "the variance of sample(10000)");

    /// <summary>Not known in closed form.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public override Tensor entropy() => throw Unknown("entropy", "log_prob(sample(10000)).mean([0L]).neg()");

    /// <summary>log p of values (sample..., batch..., event...): (sample..., batch...), in nats,
    /// differentiable with respect to values, weights and context. The caller disposes it.</summary>
    public override Tensor log_prob(Tensor value)
    {
        Internal.Check.Tensor(value, nameof(value));
        var shape = flow.InputShape.ToArray();
        var batch = batch_shape.Shape;
        long[] wanted = [.. batch, .. shape];
        if (value.dim() < wanted.Length || !value.shape.AsSpan(value.shape.Length - wanted.Length).SequenceEqual(wanted))
            throw new ArgumentException(
                $"log_prob expects values of shape (..., {string.Join(", ", wanted)}); got {EventShape.Format(value.shape)}.",
                nameof(value));
        using var scope = NewDisposeScope();
        long[] front = [.. value.shape.Take(value.shape.Length - shape.Length)];
        var flat = value.reshape([Product(front), .. shape]);
        return scope.MoveToOuter(flow.LogProbFor(flat, Repeated(flat.shape[0]), null, $"{nameof(FlowDistribution)}.{nameof(log_prob)}",
            graph: is_grad_enabled(), flow.DefaultPasses).reshape(front));
    }

    /// <summary>Draws samples (sample..., batch..., event...) without gradients. The caller disposes them.</summary>
    public override Tensor sample(params long[] sample_shape)
    {
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(Arranged(flow.SampleFor(Count(sample_shape), context, 1, null,
            $"{nameof(FlowDistribution)}.{nameof(sample)}", flow.DefaultPasses, wantsLogProb: false).Samples, sample_shape));
    }

    /// <summary>Draws samples (sample..., batch..., event...) that are differentiable
    /// with respect to weights and context. The caller disposes them.</summary>
    public override Tensor rsample(params long[] sample_shape)
    {
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(Arranged(flow.RSampleFor(Count(sample_shape), context, null,
            $"{nameof(FlowDistribution)}.{nameof(rsample)}", wantsLogProb: false).Samples, sample_shape));
    }

    /// <summary>The same distribution with more batch dimensions in front; with contexts, the last one stays (M).</summary>
    public override distributions.Distribution expand(Size batch_shape, distributions.Distribution? instance = null)
    {
        var batch = Sizes(batch_shape.Shape, nameof(batch_shape));
        if (context is not null && (batch.Length == 0 || batch[^1] != context.shape[0]))
            throw new ArgumentException(
                $"The batch shape of a flow with {context.shape[0]} contexts ends with that number; got {EventShape.Format(batch)}.",
                nameof(batch_shape));
        return new FlowDistribution(flow, context, batch);
    }

    // samples for each context, or in all
    private long Count(long[] sampleShape) =>
        Product(Sizes(sampleShape, "sample_shape")) * (Product(batch_shape.Shape) / (context?.shape[0] ?? 1));

    // from (M, N, event) to (sample..., batch..., event...)
    private Tensor Arranged(Tensor samples, long[] sampleShape) =>
        (context is null ? samples : samples.transpose(0, 1)).reshape([.. sampleShape, .. batch_shape.Shape, .. flow.InputShape]);

    private Tensor? Repeated(long count)
    {
        if (context is null) return null;
        long[] times = [count / Math.Max(1, context.shape[0]), .. context.shape.Skip(1).Select(_ => 1L)];
        return context.repeat(times);
    }

    private static long[] Sizes(long[]? sizes, string parameter)
    {
        ArgumentNullException.ThrowIfNull(sizes, parameter);
        var product = (Int128)1;
        foreach (var size in sizes)
            if (size < 0 || (product *= size) > int.MaxValue)
                throw new ArgumentOutOfRangeException(parameter, EventShape.Format(sizes),
                    $"Sizes are at least 0, with a product of at most {int.MaxValue}.");
        return sizes;
    }

    private static long Product(long[] sizes) => sizes.Aggregate(1L, (n, s) => checked(n * s));

    private static NotSupportedException Unknown(string what, string estimate) =>
        new($"A flow has no closed form of its {what}. Estimate it: {estimate}.");
}
