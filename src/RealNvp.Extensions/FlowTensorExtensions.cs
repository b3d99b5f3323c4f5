using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace RealNvp.Extensions;

/// <summary>Flows for callers with <see cref="Tensor{T}"/> of System.Numerics.Tensors: the same results as from arrays, in tensors of
/// the shape of an example.</summary>
/// <remarks>A tensor whose numbers lie one after the other is read where it is; any other, such as a slice of columns, is copied first.
/// Nothing is left to dispose. Thread safety is that of the flow.</remarks>
public static class FlowTensorExtensions
{
    /// <summary>log p(x | context) of each example, in nats.</summary>
    /// <param name="flow">The flow.</param>
    /// <param name="x">(N, ...) in the shape of <see cref="Flow.InputShape"/>. All values finite.</param>
    /// <param name="context">For a conditional flow, N rows of C values, or N
    /// labels: <see cref="TensorRowExtensions"/> makes them of tensors.</param>
    /// <param name="seed">Fixes the noise of a dequantization.</param>
    /// <param name="cancellationToken">Ends the call between two batches.</param>
    /// <returns>(N).</returns>
    /// <exception cref="ArgumentException">The tensor does not fit the flow, or holds NaN or infinity.</exception>
    /// <exception cref="NonFiniteException">A layer gave NaN; it names the layer and the rows.</exception>
    public static Tensor<float> LogProb(this Flow flow, ReadOnlyTensorSpan<float> x, DataRows context = default, long? seed = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(flow);
        var result = New<float>(x, flow.InputShape, null, $"{flow.GetName()}.{nameof(LogProb)}");
        flow.LogProbInto(x.AsRows(), Flat(result), context, seed, cancellationToken);
        return result;
    }

    /// <inheritdoc cref="LogProb(Flow, ReadOnlyTensorSpan{float}, DataRows, long?, CancellationToken)"/>
    public static Tensor<double> LogProb(this Flow flow, ReadOnlyTensorSpan<double> x, DataRows context = default, long? seed = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(flow);
        var result = New<double>(x, flow.InputShape, null, $"{flow.GetName()}.{nameof(LogProb)}");
        flow.LogProbInto(x.AsRows(), Flat(result), context, seed, cancellationToken);
        return result;
    }

    /// <summary>Maps data to latents: z = f(x).</summary>
    /// <inheritdoc cref="LogProb(Flow, ReadOnlyTensorSpan{float}, DataRows, long?, CancellationToken)"/>
    /// <returns>(N, ...) in the shape of <see cref="Flow.LatentShape"/>.</returns>
    public static Tensor<float> Encode(this Flow flow, ReadOnlyTensorSpan<float> x, DataRows context = default, long? seed = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(flow);
        var result = New<float>(x, flow.InputShape, flow.LatentShape, $"{flow.GetName()}.{nameof(Encode)}");
        flow.EncodeInto(x.AsRows(), Flat(result), context, seed, cancellationToken);
        return result;
    }

    /// <inheritdoc cref="Encode(Flow, ReadOnlyTensorSpan{float}, DataRows, long?, CancellationToken)"/>
    public static Tensor<double> Encode(this Flow flow, ReadOnlyTensorSpan<double> x, DataRows context = default, long? seed = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(flow);
        var result = New<double>(x, flow.InputShape, flow.LatentShape, $"{flow.GetName()}.{nameof(Encode)}");
        flow.EncodeInto(x.AsRows(), Flat(result), context, seed, cancellationToken);
        return result;
    }

    /// <summary>Maps latents to data: x = f⁻¹(z).</summary>
    /// <param name="flow">The flow.</param>
    /// <param name="z">(N, ...) in the shape of <see cref="Flow.LatentShape"/>. All values finite.</param>
    /// <param name="context">For a conditional flow, N rows of C values, or N labels.</param>
    /// <param name="cancellationToken">Ends the call between two batches.</param>
    /// <returns>(N, ...) in the shape of <see cref="Flow.InputShape"/>.</returns>
    /// <exception cref="ArgumentException">The tensor does not fit the flow, or holds NaN or infinity.</exception>
    /// <exception cref="NonFiniteException">A layer gave NaN or infinity; it names the layer and the rows.</exception>
    public static Tensor<float> Decode(this Flow flow, ReadOnlyTensorSpan<float> z, DataRows context = default,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(flow);
        var result = New<float>(z, flow.LatentShape, flow.InputShape, $"{flow.GetName()}.{nameof(Decode)}");
        flow.DecodeInto(z.AsRows(), Flat(result), context, cancellationToken);
        return result;
    }

    /// <inheritdoc cref="Decode(Flow, ReadOnlyTensorSpan{float}, DataRows, CancellationToken)"/>
    public static Tensor<double> Decode(this Flow flow, ReadOnlyTensorSpan<double> z, DataRows context = default,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(flow);
        var result = New<double>(z, flow.LatentShape, flow.InputShape, $"{flow.GetName()}.{nameof(Decode)}");
        flow.DecodeInto(z.AsRows(), Flat(result), context, cancellationToken);
        return result;
    }

    /// <summary>Draws examples as <see cref="Flow.SampleArray"/> does.</summary>
    /// <param name="flow">The flow.</param>
    /// <param name="count">N, the number of examples, for each context if there are contexts; 0 or more.</param>
    /// <param name="context">For a conditional flow, M rows of C values, or M labels.</param>
    /// <param name="temperature">Scales the latents; 1 is the model, smaller values give more typical examples.</param>
    /// <param name="seed">Makes the result repeatable; null draws from torch's generator.</param>
    /// <param name="cancellationToken">Ends the call between two batches.</param>
    /// <returns>(N, ...) in the shape of <see cref="Flow.InputShape"/>; with
    /// contexts M·N examples, first all N of the first context.</returns>
    /// <exception cref="NonFiniteException">A layer gave NaN or infinity; it names the layer.</exception>
    public static Tensor<double> SampleTensor(this Flow flow, long count, DataRows context = default, double temperature = 1,
        long? seed = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(flow);
        var rows = flow.SampleArray(count, context, temperature, seed, cancellationToken: cancellationToken);
        var result = Tensor.CreateFromShapeUninitialized<double>([rows.GetLength(0), .. Sizes(flow.InputShape)], pinned: false);
        if (rows.Length > 0) MemoryMarshal.CreateReadOnlySpan(ref rows[0, 0], rows.Length).CopyTo(Flat(result));
        return result;
    }

    // a result for each example of x, whose shape is looked at before any work
    private static Tensor<T> New<T>(ReadOnlyTensorSpan<T> x, EventShape shape, EventShape? resultShape, string owner)
    {
        var lengths = x.Lengths;
        var sizes = Sizes(shape);
        if (lengths.Length != sizes.Length + 1 || !lengths[1..].SequenceEqual(sizes))
            throw new ArgumentException(
                $"{owner} expects a tensor (N, {string.Join(", ", sizes)}), for examples of shape {shape}; got " +
                $"({string.Join(", ", lengths.ToArray())}).", nameof(x));
        return Tensor.CreateFromShapeUninitialized<T>([lengths[0], .. resultShape is { } s ? Sizes(s) : []], pinned: false);
    }

    private static nint[] Sizes(EventShape shape) => [.. shape.ToArray().Select(n => (nint)n)];

    private static Span<T> Flat<T>(Tensor<T> tensor) => tensor.FlattenedLength == 0 ? []
        : MemoryMarshal.CreateSpan(ref tensor.GetPinnableReference(), checked((int)tensor.FlattenedLength));
}
