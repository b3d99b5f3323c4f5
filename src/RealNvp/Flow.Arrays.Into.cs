using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>
/// The doors for arrays with a destination: spans in, spans out. They allocate no array, whatever the number of rows, so a service
/// may call them with memory from a pool; they return the number of rows that were written.
/// </content>
public partial class Flow
{
    /// <summary>As <see cref="LogProb(DataRows, DataRows, long?, int?, IProgress{long}, CancellationToken)"/>,
    /// into memory of the caller's.</summary>
    /// <param name="x">N rows.</param>
    /// <param name="destination">At least N numbers; what is behind them stays
    /// as it is. If there is an error, all of it stays as it is.</param>
    /// <param name="context">For a conditional flow, N rows of C values, or N labels.</param>
    /// <param name="seed">Fixes the noise of a dequantization.</param>
    /// <param name="cancellationToken">Ends the call between two batches.</param>
    /// <returns>N, the number of results.</returns>
    /// <exception cref="ArgumentException">The array does not fit the flow, or holds NaN or infinity;
    /// or the destination is too small: nothing was computed.</exception>
    /// <exception cref="NonFiniteException">A layer gave NaN; it names the layer and the rows.</exception>
    public int LogProbInto(DataRows x, Span<double> destination, DataRows context = default, long? seed = null,
        CancellationToken cancellationToken = default)
    {
        if (IsPlain(null, null, cancellationToken)
            && FewInto(FewOf.LogProb, x, context, destination, default, out var rows)) return rows;
        using var mode = EvaluationGate.Evaluate(this);
        using var scope = NewDisposeScope();
        return Put(LogProbRows(x, context, seed, destination.Length, cancellationToken), destination, 1);
    }

    /// <inheritdoc cref="LogProbInto(DataRows, Span{double}, DataRows, long?, CancellationToken)"/>
    public int LogProbInto(DataRows x, Span<float> destination, DataRows context = default, long? seed = null,
        CancellationToken cancellationToken = default)
    {
        if (IsPlain(null, null, cancellationToken)
            && FewInto(FewOf.LogProb, x, context, default, destination, out var rows)) return rows;
        using var mode = EvaluationGate.Evaluate(this);
        using var scope = NewDisposeScope();
        return Put(LogProbRows(x, context, seed, destination.Length, cancellationToken), destination, 1);
    }

    /// <summary>As <see cref="Encode(DataRows, DataRows, long?, int?, IProgress{long}, CancellationToken)"/>,
    /// into memory of the caller's: the latents one after the other.</summary>
    /// <param name="x">N rows.</param>
    /// <param name="destination">At least N·D numbers, with D those of a latent (<see cref="LatentShape"/>); what is behind them stays
    /// as it is. If there is an error, all of it stays as it is.</param>
    /// <param name="context">For a conditional flow, N rows of C values, or N labels.</param>
    /// <param name="seed">Fixes the noise of a dequantization.</param>
    /// <param name="cancellationToken">Ends the call between two batches.</param>
    /// <returns>N, the number of latents.</returns>
    /// <exception cref="ArgumentException">The array does not fit the flow, holds NaN or infinity, or has a row outside
    /// of the domain of the flow; or the destination is too small: nothing was computed.</exception>
    /// <exception cref="NonFiniteException">A layer gave NaN or infinity; it names the layer and the rows.</exception>
    public int EncodeInto(DataRows x, Span<double> destination, DataRows context = default, long? seed = null,
        CancellationToken cancellationToken = default)
    {
        if (IsPlain(null, null, cancellationToken)
            && FewInto(FewOf.Latents, x, context, destination, default, out var rows)) return rows;
        using var mode = EvaluationGate.Evaluate(this);
        using var scope = NewDisposeScope();
        return Put(EncodeRows(x, context, seed, destination.Length, cancellationToken), destination, LatentShape.NumElements);
    }

    /// <inheritdoc cref="EncodeInto(DataRows, Span{double}, DataRows, long?, CancellationToken)"/>
    public int EncodeInto(DataRows x, Span<float> destination, DataRows context = default, long? seed = null,
        CancellationToken cancellationToken = default)
    {
        if (IsPlain(null, null, cancellationToken)
            && FewInto(FewOf.Latents, x, context, default, destination, out var rows)) return rows;
        using var mode = EvaluationGate.Evaluate(this);
        using var scope = NewDisposeScope();
        return Put(EncodeRows(x, context, seed, destination.Length, cancellationToken), destination, LatentShape.NumElements);
    }

    /// <summary>As <see cref="Decode(DataRows, DataRows, int?, IProgress{long}, CancellationToken)"/>,
    /// into memory of the caller's: the examples one after the other.</summary>
    /// <param name="z">N rows, each with the elements of a latent (<see cref="LatentShape"/>). All values finite.</param>
    /// <param name="destination">At least N·D numbers, with D those of an example (<see cref="InputShape"/>); what is behind them stays
    /// as it is. If there is an error, all of it stays as it is.</param>
    /// <param name="context">For a conditional flow, N rows of C values, or N labels.</param>
    /// <param name="cancellationToken">Ends the call between two batches.</param>
    /// <returns>N, the number of examples.</returns>
    /// <exception cref="ArgumentException">The array does not fit the flow, or holds NaN or infinity;
    /// or the destination is too small: nothing was computed.</exception>
    /// <exception cref="NonFiniteException">A layer gave NaN or infinity; it names the layer and the rows.</exception>
    public int DecodeInto(DataRows z, Span<double> destination, DataRows context = default, CancellationToken cancellationToken = default)
    {
        if (IsPlain(null, null, cancellationToken)
            && FewInto(FewOf.Examples, z, context, destination, default, out var rows)) return rows;
        using var mode = EvaluationGate.Evaluate(this);
        using var scope = NewDisposeScope();
        return Put(DecodeRows(z, context, ArrayDtype, destination.Length, cancellationToken), destination, InputShape.NumElements);
    }

    /// <inheritdoc cref="DecodeInto(DataRows, Span{double}, DataRows, CancellationToken)"/>
    public int DecodeInto(DataRows z, Span<float> destination, DataRows context = default, CancellationToken cancellationToken = default)
    {
        if (IsPlain(null, null, cancellationToken)
            && FewInto(FewOf.Examples, z, context, default, destination, out var rows)) return rows;
        using var mode = EvaluationGate.Evaluate(this);
        using var scope = NewDisposeScope();
        return Put(DecodeRows(z, context, null, destination.Length, cancellationToken), destination, InputShape.NumElements);
    }

    /// <summary>As <see cref="SampleArray"/>, into memory of the caller's: the examples one after the other.</summary>
    /// <param name="count">N, the number of examples, for each context if there are contexts; 0 or more.</param>
    /// <param name="destination">At least N·D numbers, or M·N·D with contexts, with D those of an example (<see cref="InputShape"/>);
    /// what is behind them stays as it is. If there is an error, all of it stays as it is.</param>
    /// <param name="context">For a conditional flow, M rows of C values, or M labels.</param>
    /// <param name="temperature">Scales the latents; 1 is the model, smaller values give more typical examples.</param>
    /// <param name="seed">Makes the result repeatable; null draws from torch's generator.</param>
    /// <param name="cancellationToken">Ends the call between two batches.</param>
    /// <returns>The number of examples: N, or M·N with contexts.</returns>
    /// <exception cref="ArgumentException">An argument does not fit, or the destination is too small: nothing was computed.</exception>
    /// <exception cref="NonFiniteException">A layer gave NaN or infinity; it names the layer.</exception>
    public int SampleInto(long count, Span<double> destination, DataRows context = default, double temperature = 1, long? seed = null,
        CancellationToken cancellationToken = default)
    {
        using var mode = EvaluationGate.Evaluate(this);
        using var scope = NewDisposeScope();
        return Put(SampleRows(count, context, temperature, seed, ArrayDtype, destination.Length, cancellationToken), destination,
            InputShape.NumElements);
    }

    /// <inheritdoc cref="SampleInto(long, Span{double}, DataRows, double, long?, CancellationToken)"/>
    public int SampleInto(long count, Span<float> destination, DataRows context = default, double temperature = 1, long? seed = null,
        CancellationToken cancellationToken = default)
    {
        using var mode = EvaluationGate.Evaluate(this);
        using var scope = NewDisposeScope();
        return Put(SampleRows(count, context, temperature, seed, null, destination.Length, cancellationToken), destination,
            InputShape.NumElements);
    }

    // in the caller's scope, all four
    private Tensor LogProbRows(DataRows x, DataRows context, long? seed, int room, CancellationToken token)
    {
        using var gradients = no_grad();
        var (rows, given) = Given(x, context, nameof(x), InputShape, 1, room, $"{GetName()}.{nameof(LogProbInto)}");
        return LogProb(rows, given, seed, cancellationToken: token);
    }

    private Tensor EncodeRows(DataRows x, DataRows context, long? seed, int room, CancellationToken token)
    {
        using var gradients = no_grad();
        var (rows, given) = Given(x, context, nameof(x), InputShape, LatentShape.NumElements, room, $"{GetName()}.{nameof(EncodeInto)}");
        return Encode(rows, given, seed, cancellationToken: token);
    }

    private Tensor DecodeRows(DataRows z, DataRows context, ScalarType? dtype, int room, CancellationToken token)
    {
        using var gradients = no_grad();
        var (rows, given) = Given(z, context, nameof(z), LatentShape, InputShape.NumElements, room, $"{GetName()}.{nameof(DecodeInto)}");
        return Decode(rows, given, dtype, cancellationToken: token);
    }

    private Tensor SampleRows(long count, DataRows context, double temperature, long? seed, ScalarType? dtype, int room,
        CancellationToken token)
    {
        var owner = $"{GetName()}.{nameof(SampleInto)}";
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        var given = context.IsNull ? null : ToWeights(ContextTensor(context, owner));
        CheckRoom((double)count * (given?.shape[0] ?? 1), InputShape.NumElements, room, owner);
        return Sample(count, given, temperature, seed, dtype, cancellationToken: token);
    }

    // rows whose results of so many numbers have room
    private (Tensor Rows, Tensor? Context) Given(DataRows x, DataRows context, string parameter, EventShape shape, long numbers, int room,
        string owner)
    {
        var (rows, given) = Given(x, context, parameter, shape, owner);
        CheckRoom(rows.shape[0], numbers, room, owner);
        return (rows, given);
    }

    private static void CheckRoom(double rows, long numbers, int room, string owner, string parameter = "destination")
    {
        if (rows * numbers > room)
            throw new ArgumentException(FormattableString.Invariant(
                $"{owner} gives {rows} result(s) of {numbers} number(s); the destination has room for {room} number(s)."), parameter);
    }

    private static int Put(Tensor results, Span<double> destination, long numbers)
    {
        results.FetchInto(destination);
        return (int)(results.numel() / numbers);
    }

    private static int Put(Tensor results, Span<float> destination, long numbers)
    {
        results.FetchInto(destination);
        return (int)(results.numel() / numbers);
    }
}
