using RealNvp.Kernels;

namespace RealNvp.Scoring;

/// <summary>A normalizing flow that RealNvp has trained and saved, for scoring rows without libtorch and without TorchSharp.</summary>
/// <remarks>
/// <para>It reads the file that <c>FlowModel.Save</c> of the package RealNvp writes: affine, additive and spline couplings, masked and
/// inverse autoregressive flows, linear layers, standardization, and every density with a closed form, for vectors, with and without a
/// context. What it cannot compute is refused when the file is loaded, by a message that names it. Numbers are
/// float32, log-determinants are summed in float64; a file with weights in float64 is computed in float32.</para>
/// <para>Once loaded it does not change: any number of threads may use one object at the same time, without a lock. A call computes on
/// the thread that makes it, and allocates nothing but memory that the thread keeps for
/// its next call. The result of a row does not depend on the rows beside it.</para>
/// </remarks>
public sealed unsafe class FlowScorer
{
    private readonly RowPlan plan;

    // what the pointers of the plan point into
    private readonly object memory;

    internal FlowScorer(string model, RowPlan plan, object memory) => (Model, this.plan, this.memory) = (model, plan, memory);

    /// <summary>The class of the model in the package RealNvp, such as RealNvpModel.</summary>
    public string Model { get; }

    /// <summary>D, the number of features of a row; at least 1.</summary>
    public int Features => plan.Features;

    /// <summary>C, the number of features of a context; 0 for a flow without context.</summary>
    public int ContextSize => plan.Context;

    /// <summary>Reads a model. A checkpoint of a training gives its best weights, else the averaged ones, else the last ones.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InvalidDataException">The file is damaged, or holds no model that describes itself.</exception>
    /// <exception cref="NotSupportedException">The file holds a model with a part that this package does not compute; the message names
    /// the part, and says what to do.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static FlowScorer Load(string path)
    {
        using var source = SafeTensorsSource.Open(path);
        return Models.ModelReader.Read(source);
    }

    /// <summary>Reads a model from a stream, up to the last byte of its file and no further.</summary>
    /// <param name="stream">Stands at the first byte of the file. It is left open.</param>
    /// <exception cref="ArgumentException">The stream is closed or cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file is damaged or cut off, or holds no model that describes itself.</exception>
    /// <exception cref="NotSupportedException">The file holds a model with a part that this package does not compute; the message names
    /// the part, and says what to do.</exception>
    public static FlowScorer Load(Stream stream)
    {
        using var source = SafeTensorsSource.Of(stream);
        return Models.ModelReader.Read(source);
    }

    /// <summary>log p(x | context) in nats of each row: minus infinity outside of the support, NaN for a row whose values pass the
    /// largest number of float32 on their way.</summary>
    /// <param name="x">(N, D), one row behind the other. All values finite.</param>
    /// <param name="logProb">Gets N numbers, in memory that overlaps neither <paramref name="x"/> nor <paramref name="context"/>.</param>
    /// <param name="context">(N, C) for a flow with a context, else empty. All values finite.</param>
    /// <exception cref="ArgumentException">A length does not fit, a value is NaN or infinite, or spans overlap.</exception>
    public void LogProb(ReadOnlySpan<float> x, Span<float> logProb, ReadOnlySpan<float> context = default)
    {
        var rows = CheckRows(x, nameof(x), context);
        CheckLength(logProb.Length, rows, nameof(logProb), "one number a row");
        CheckApart(logProb, nameof(logProb), x, nameof(x));
        CheckApart(logProb, nameof(logProb), context, nameof(context));
        fixed (float* from = x, given = context, to = logProb) plan.LogProb(from, given, rows, to);
        GC.KeepAlive(memory);
    }

    /// <summary>log p(x | context) in nats of one row.</summary>
    /// <param name="row">D numbers. All values finite.</param>
    /// <param name="context">C numbers for a flow with a context, else empty. All values finite.</param>
    /// <returns>As <see cref="LogProb"/> gives it for this row among others.</returns>
    /// <exception cref="ArgumentException">A length does not fit, or a value is NaN or infinite.</exception>
    public float LogProbOfRow(ReadOnlySpan<float> row, ReadOnlySpan<float> context = default)
    {
        CheckLength(row.Length, Features, nameof(row), "one row");
        var result = 0f;
        LogProb(row, new Span<float>(ref result), context);
        return result;
    }

    /// <summary>Maps data to latents: z = f(x).</summary>
    /// <param name="x">(N, D), one row behind the other. All values finite.</param>
    /// <param name="z">Gets (N, D). May be the memory of <paramref name="x"/>; overlaps nothing in another way.</param>
    /// <param name="context">(N, C) for a flow with a context, else empty. All values finite.</param>
    /// <param name="logDet">Gets log|det ∂z/∂x| of each row, N numbers; empty if it is not wanted. Overlaps nothing.</param>
    /// <exception cref="ArgumentException">A length does not fit, a value is NaN or infinite, or spans overlap.</exception>
    public void Encode(ReadOnlySpan<float> x, Span<float> z, ReadOnlySpan<float> context = default, Span<float> logDet = default) =>
        Map(x, nameof(x), z, nameof(z), context, logDet, inverse: false);

    /// <summary>Maps latents to data: x = f⁻¹(z).</summary>
    /// <param name="z">(N, D), one row behind the other. All values finite.</param>
    /// <param name="x">Gets (N, D). May be the memory of <paramref name="z"/>; overlaps nothing in another way.</param>
    /// <param name="context">(N, C) for a flow with a context, else empty. All values finite.</param>
    /// <param name="logDet">Gets log|det ∂x/∂z| of each row, N numbers; empty if it is not wanted. Overlaps nothing.</param>
    /// <exception cref="ArgumentException">A length does not fit, a value is NaN or infinite, or spans overlap.</exception>
    public void Decode(ReadOnlySpan<float> z, Span<float> x, ReadOnlySpan<float> context = default, Span<float> logDet = default) =>
        Map(z, nameof(z), x, nameof(x), context, logDet, inverse: true);

    /// <summary>Draws rows from p(x | context).</summary>
    /// <param name="x">Gets (N, D); its length says how many. Does not overlap <paramref name="context"/>.</param>
    /// <param name="seed">The same seed gives the same rows, on every machine up to rounding. They are not those that the package RealNvp
    /// draws with this seed.</param>
    /// <param name="context">(N, C) for a flow with a context, else empty. All values finite.</param>
    /// <exception cref="ArgumentException">A length does not fit, a value is NaN or infinite, or spans overlap.</exception>
    public void Sample(Span<float> x, long seed, ReadOnlySpan<float> context = default)
    {
        var rows = Rows(x.Length, nameof(x));
        CheckContext(context, rows);
        CheckApart(x, nameof(x), context, nameof(context));
        var random = new RowRandom(seed);
        fixed (float* given = context, to = x) plan.Sample(ref random, given, rows, to);
        GC.KeepAlive(memory);
    }

    private void Map(ReadOnlySpan<float> from, string fromName, Span<float> to, string toName, ReadOnlySpan<float> context,
        Span<float> logDet, bool inverse)
    {
        var rows = CheckRows(from, fromName, context);
        CheckLength(to.Length, from.Length, toName, "as many numbers as the input");
        if (!logDet.IsEmpty) CheckLength(logDet.Length, rows, nameof(logDet), "one number a row, or none");
        if (from.Overlaps(to, out var offset) && offset != 0)
            throw new ArgumentException($"{toName} overlaps {fromName}. Give the same memory for both, or memory that is apart.", toName);
        CheckApart(to, toName, context, nameof(context));
        CheckApart(logDet, nameof(logDet), from, fromName);
        CheckApart(logDet, nameof(logDet), to, toName);
        CheckApart(logDet, nameof(logDet), context, nameof(context));
        fixed (float* source = from, given = context, target = to, sums = logDet) plan.Map(source, given, rows, inverse, target, sums);
        GC.KeepAlive(memory);
    }

    private int CheckRows(ReadOnlySpan<float> x, string name, ReadOnlySpan<float> context)
    {
        var rows = Rows(x.Length, name);
        CheckFinite(x, Features, name);
        CheckContext(context, rows);
        return rows;
    }

    private int Rows(int length, string name) => length % Features == 0 ? length / Features
        : throw new ArgumentException($"{name} holds rows of {Features} numbers; got {length}, which is no multiple of it.", name);

    private void CheckContext(ReadOnlySpan<float> context, int rows)
    {
        if (context.Length != (long)rows * ContextSize)
            throw new ArgumentException(ContextSize == 0
                ? $"This flow has no context: leave {nameof(context)} out. Got {context.Length} numbers."
                : $"{nameof(context)} holds {ContextSize} numbers for each of {rows} row(s); got {context.Length}.", nameof(context));
        CheckFinite(context, ContextSize, nameof(context));
    }

    private static void CheckLength(int length, int expected, string name, string what)
    {
        if (length != expected) throw new ArgumentException($"{name} holds {what}, {expected}; got {length}.", name);
    }

    // results are written block by block: what later blocks read must not be among them
    private static void CheckApart(ReadOnlySpan<float> result, string resultName, ReadOnlySpan<float> other, string otherName)
    {
        if (result.Overlaps(other))
            throw new ArgumentException($"{resultName} overlaps {otherName}. Give memory that is apart.", resultName);
    }

    private static void CheckFinite(ReadOnlySpan<float> values, int columns, string name)
    {
        for (var i = 0; i < values.Length; i++)
            if (!float.IsFinite(values[i]))
                throw new ArgumentException(FormattableString.Invariant(
                    $"{name} has the value {values[i]} in row {i / columns}, column {i % columns}; all values must be finite."), name);
    }
}
