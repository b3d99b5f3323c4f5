using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>
/// Doors for callers without tensors: arrays and spans in, arrays of double out. They compute what the methods for tensors
/// do, in the dtype and on the device of the weights, some rows at a time, without gradients; nothing is left to dispose.
/// </content>
public partial class Flow
{
    /// <summary>log p(x | context) of each row, in nats: minus infinity outside of the support.</summary>
    /// <remarks>What a float32 flow gives has its seven digits, in a double: sums and comparisons in .NET lose no more of them.</remarks>
    /// <param name="x">N rows, in an array of any form, each with the elements
    /// of an example (<see cref="InputShape"/>). All values finite.</param>
    /// <param name="context">For a conditional flow, N rows of C values, or N labels.</param>
    /// <param name="seed">Fixes the noise of a dequantization.</param>
    /// <param name="batchSize">The number of rows at a time; null for what suits the shape.</param>
    /// <param name="progress">Hears after each batch how many rows are done.</param>
    /// <param name="cancellationToken">Ends the call between two batches.</param>
    /// <returns>N numbers.</returns>
    /// <exception cref="ArgumentException">The array does not fit the flow, or
    /// holds NaN or infinity; the message says what was expected.</exception>
    /// <exception cref="NonFiniteException">A layer gave NaN; it names the layer and the rows.</exception>
    [OverloadResolutionPriority(1)]
    public double[] LogProb(DataRows x, DataRows context = default, long? seed = null, int? batchSize = null,
        IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        if (IsPlain(batchSize, progress, cancellationToken) && FewLogProb(x, context) is { } few) return few;
        using var mode = EvaluationGate.Evaluate(this);
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var (rows, given) = Given(x, context, nameof(x), InputShape, $"{GetName()}.{nameof(LogProb)}");
        return LogProb(rows, given, seed, batchSize, progress, cancellationToken).FetchDoubles();
    }

    /// <summary>-log₂ p(x | context)/D of each row: bits per dimension.</summary>
    /// <inheritdoc cref="LogProb(DataRows, DataRows, long?, int?, IProgress{long}, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public double[] BitsPerDim(DataRows x, DataRows context = default, long? seed = null, int? batchSize = null,
        IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        using var mode = EvaluationGate.Evaluate(this);
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var (rows, given) = Given(x, context, nameof(x), InputShape, $"{GetName()}.{nameof(BitsPerDim)}");
        return BitsPerDim(rows, given, seed, batchSize, progress, cancellationToken).FetchDoubles();
    }

    /// <summary>Maps data to latents: z = f(x).</summary>
    /// <inheritdoc cref="LogProb(DataRows, DataRows, long?, int?, IProgress{long}, CancellationToken)"/>
    /// <returns>A row of D numbers for each row.</returns>
    [OverloadResolutionPriority(1)]
    public double[,] Encode(DataRows x, DataRows context = default, long? seed = null, int? batchSize = null,
        IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        if (IsPlain(batchSize, progress, cancellationToken) && FewArray(FewOf.Latents, x, context) is { } few) return few;
        using var mode = EvaluationGate.Evaluate(this);
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var (rows, given) = Given(x, context, nameof(x), InputShape, $"{GetName()}.{nameof(Encode)}");
        return ToArray(Encode(rows, given, seed, batchSize, progress, cancellationToken), LatentShape);
    }

    /// <summary>Maps latents to data: x = f⁻¹(z).</summary>
    /// <param name="z">N rows, each with the elements of a latent (<see cref="LatentShape"/>). All values finite.</param>
    /// <param name="context">For a conditional flow, N rows of C values, or N labels.</param>
    /// <param name="batchSize">The number of rows at a time; null for what suits the shape.</param>
    /// <param name="progress">Hears after each batch how many rows are done.</param>
    /// <param name="cancellationToken">Ends the call between two batches.</param>
    /// <returns>A row of D numbers for each row, with the digits that data in float64 had.</returns>
    [OverloadResolutionPriority(1)]
    public double[,] Decode(DataRows z, DataRows context = default, int? batchSize = null, IProgress<long>? progress = null,
        CancellationToken cancellationToken = default)
    {
        if (IsPlain(batchSize, progress, cancellationToken) && FewArray(FewOf.Examples, z, context) is { } few) return few;
        using var mode = EvaluationGate.Evaluate(this);
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var (rows, given) = Given(z, context, nameof(z), LatentShape, $"{GetName()}.{nameof(Decode)}");
        return ToArray(Decode(rows, given, ArrayDtype, batchSize, progress, cancellationToken), InputShape);
    }

    /// <summary>Draws examples as <see cref="Sample"/> does.</summary>
    /// <param name="count">N, the number of examples, for each context if there are contexts; 0 or more.</param>
    /// <param name="context">For a conditional flow, M rows of C values, or M labels.</param>
    /// <param name="temperature">Scales the latents; 1 is the model, smaller values give more typical examples.</param>
    /// <param name="seed">Makes the result repeatable; null draws from torch's generator.</param>
    /// <param name="batchSize">The number of examples at a time; null for what suits the shape.</param>
    /// <param name="progress">Hears after each batch how many examples are done.</param>
    /// <param name="cancellationToken">Ends the call between two batches.</param>
    /// <returns>A row of D numbers for each example, with the digits that data in
    /// float64 had; with contexts M·N rows, first all N of the first context.</returns>
    public double[,] SampleArray(long count, DataRows context = default, double temperature = 1, long? seed = null, int? batchSize = null,
        IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        using var mode = EvaluationGate.Evaluate(this);
        using var scope = NewDisposeScope();
        var given = context.IsNull ? null : ToWeights(ContextTensor(context, $"{GetName()}.{nameof(SampleArray)}"));
        return ToArray(Sample(count, given, temperature, seed, ArrayDtype, batchSize, progress, cancellationToken), InputShape);
    }

    /// <summary>The mean log-likelihood of rows, as
    /// <see cref="Evaluate(Tensor, Tensor, int, long, IProgress{long}, bool, CancellationToken)"/> has it.</summary>
    /// <param name="x">N rows, in an array of any form, with N of at least 1.</param>
    /// <param name="context">For a conditional flow, N rows of C values, or N labels.</param>
    /// <param name="batchSize">The number of rows at a time; at least 1.</param>
    /// <param name="seed">Fixes the noise of a dequantization.</param>
    /// <param name="progress">Hears after each batch how many rows are done.</param>
    /// <param name="tryInverse">Takes a few rows to z and back too.</param>
    /// <param name="cancellationToken">Ends the call between two batches.</param>
    [OverloadResolutionPriority(1)]
    public Evaluation Evaluate(DataRows x, DataRows context = default, int batchSize = 256, long seed = 0, IProgress<long>? progress = null,
        bool tryInverse = false, CancellationToken cancellationToken = default)
    {
        using var mode = EvaluationGate.Evaluate(this);
        using var scope = NewDisposeScope();
        var (rows, given) = Given(x, context, nameof(x), InputShape, $"{GetName()}.{nameof(Evaluate)}");
        return Evaluate(rows, given, batchSize, seed, progress, tryInverse, cancellationToken);
    }

    // a device without float64 gives what it has
    private ScalarType? ArrayDtype => SamplingDevice.type == DeviceType.MPS ? null : float64;

    // (a tensor can be made of an array too, by TorchSharp: OverloadResolutionPriority takes these methods for arrays)
    private (Tensor Rows, Tensor? Context) Given(DataRows x, DataRows context, string parameter, EventShape shape, string owner)
    {
        var rows = ToWeights(x.ToTensor(shape, parameter, owner));
        return (rows, context.IsNull ? null : ToWeights(ContextTensor(context, owner)));
    }

    private Tensor ContextTensor(DataRows context, string owner) => ContextShape is { } shape
        ? context.ToTensor(shape, nameof(context), owner)
        : throw new ArgumentException($"{owner} got a context, but the flow is not conditional.", nameof(context));

    private static double[,] ToArray(Tensor rows, EventShape shape)
    {
        var columns = shape.NumElements;
        var result = new double[rows.numel() / columns, columns];
        if (result.Length > 0) rows.FetchInto(MemoryMarshal.CreateSpan(ref result[0, 0], result.Length));
        return result;
    }
}
