using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>How the rows of one call are computed: some at a time, so that memory
/// does not grow with them, with progress and cancellation between.</summary>
internal readonly struct Passes
{
    // numbers in the rows of one pass: so many that a pass costs what it computes
    // (on a GPU more), and so few that what networks keep of them is little.
    // A network for images keeps its hidden channels at every pixel
    private const long OfVectors = 1 << 19, OfImages = 1 << 17, TimesOnDevice = 4;

    private readonly long size;
    private readonly IProgress<long>? progress;
    private readonly CancellationToken token;

    private Passes(long size, IProgress<long>? progress, CancellationToken token) =>
        (this.size, this.progress, this.token) = (size, progress, token);

    /// <summary>All rows at once.</summary>
    public static Passes One => new(long.MaxValue, null, default);

    /// <summary>As many rows at a time as the caller wants; null for what suits the size of an example.</summary>
    /// <param name="batchSize">Rows at a time.</param>
    /// <param name="shape">The shape of an example.</param>
    /// <param name="device">Where they are computed.</param>
    /// <param name="progress">Hears of the number of rows that are done.</param>
    /// <param name="token">Stops between two passes.</param>
    public static Passes Of(int? batchSize, EventShape shape, DeviceType device, IProgress<long>? progress, CancellationToken token)
    {
        if (batchSize is { } given) ArgumentOutOfRangeException.ThrowIfLessThan(given, 1, nameof(batchSize));
        token.ThrowIfCancellationRequested();
        return new(batchSize ?? Default(shape, device), progress, token);
    }

    /// <summary>The rows of a pass if the caller does not say: the same on every
    /// machine, since noise depends on it if several layers draw.</summary>
    public static long Default(EventShape shape, DeviceType device) =>
        Math.Max(16, (shape.Count == 1 ? OfVectors : OfImages) * (device == DeviceType.CPU ? 1
            : TimesOnDevice) / Math.Max(1, shape.NumElements));

    /// <summary>Whether so many rows are one pass that nobody looks at.</summary>
    public bool Takes(long rows) => rows <= size && progress is null && !token.IsCancellationRequested;

    /// <summary>The same passes, but all rows at once.</summary>
    public Passes AtOnce() => new(long.MaxValue, progress, token);

    /// <summary>Runs a pass for each part of the rows, and joins the results (rows,
    /// ...). One pass if the rows are few: the result is its own then.</summary>
    /// <param name="rows">The number of rows.</param>
    /// <param name="numbers">The numbers of a row of the result.</param>
    /// <param name="owner">The method that was called, for the error if memory does not suffice.</param>
    /// <param name="pass">Gets the first row and the number of rows.</param>
    public Tensor Run(long rows, long numbers, string owner, Func<long, long, Tensor> pass)
    {
        if (rows > size) MemoryCheck.Results(rows, numbers, owner);
        Tensor? result = null;
        Each(rows, owner, (start, count) =>
        {
            var part = pass(start, count);
            if (count == rows) result = part;
            else Put(ref result, part, rows, start);
        });
        return result!;
    }

    /// <summary>As <see cref="Run(long, long, string, Func{long, long, Tensor})"/>, of two results.</summary>
    public (Tensor, Tensor) Run(long rows, long numbers, string owner, Func<long, long, (Tensor, Tensor)> pass)
    {
        if (rows > size) MemoryCheck.Results(rows, numbers, owner);
        Tensor? first = null, second = null;
        Each(rows, owner, (start, count) =>
        {
            var part = pass(start, count);
            if (count == rows)
            {
                (first, second) = part;
                return;
            }
            Put(ref first, part.Item1, rows, start);
            Put(ref second, part.Item2, rows, start);
        });
        return (first!, second!);
    }

    /// <summary>Runs a pass for each part of the rows; its tensors are disposed after it, if it is not the only one.</summary>
    /// <param name="rows">The number of rows.</param>
    /// <param name="owner">The method that was called, for the error if memory does not suffice.</param>
    /// <param name="pass">Gets the first row and the number of rows.</param>
    public void Each(long rows, string owner, Action<long, long> pass)
    {
        if (rows <= size)
        {
            Try(rows, owner, 0, rows, pass);
            progress?.Report(rows);
            return;
        }
        for (long start = 0; start < rows; start += size)
        {
            token.ThrowIfCancellationRequested();
            var count = Math.Min(size, rows - start);
            using (NewDisposeScope()) Try(rows, owner, start, count, pass);
            progress?.Report(start + count);
        }
    }

    private static void Try(long rows, string owner, long start, long count, Action<long, long> pass)
    {
        try { pass(start, count); }
        catch (ExternalException e) when (MemoryCheck.Of(e, owner, rows, count) is { } error) { throw error; }
        catch (Exception e) when (start > 0 && e is IRowFault) { throw ((IRowFault)e).Behind(start); }
    }

    /// <summary>A part of the rows; the tensor itself if that is all of them.</summary>
    public static Tensor Part(Tensor tensor, long start, long count) => start == 0 && count == tensor.shape[0] ? tensor
        : tensor.narrow(0, start, count);

    private static void Put(ref Tensor? result, Tensor part, long rows, long start)
    {
        result ??= empty([rows, .. part.shape.Skip(1)], dtype: part.dtype, device: part.device).MoveToOuterDisposeScope();
        result.narrow(0, start, part.shape[0]).copy_(part);
    }
}
