using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace RealNvp.Samples.Service;

/// <summary>Scores rows: log p(x) of each, in nats.</summary>
internal static class ScoreEndpoint
{
    // rows between two looks at whether the request is given up
    private const int Together = 4096;

    /// <summary>JSON: [[1, 2, 3], [4, 5, 6]] gives [-3.1, null], with null for minus infinity, which JSON has not.</summary>
    public static async Task<IResult> JsonAsync(HttpRequest request, FlowModel flow, ServiceLimits limits, CancellationToken cancel)
    {
        double[][]? rows;
        try { rows = await JsonSerializer.DeserializeAsync<double[][]>(request.Body, cancellationToken: cancel); }
        catch (JsonException e) { return Bad($"The body is no JSON array of rows of numbers: {e.Message}"); }
        if (rows is null) return Bad("The body is null; expected an array of rows of numbers.");
        if (rows.Length > limits.MaxRows) return TooMany(rows.Length, limits);
        double[] scores = [];
        if (Refusal(() => scores = flow.LogProb(rows, batchSize: Together, cancellationToken: cancel)) is { } wrong) return wrong;
        return Results.Json(scores.Select(score => double.IsFinite(score) ? score : (double?)null));
    }

    /// <summary>Binary: rows of float32 (little endian), one after the other, give a float32 for each.</summary>
    public static async Task<IResult> BinaryAsync(HttpRequest request, FlowModel flow, ServiceLimits limits, CancellationToken cancel)
    {
        var columns = (int)flow.InputShape.NumElements;
        // as much as comes, and no more than the limit of the server
        using var body = new MemoryStream(request.ContentLength is > 0 and var length ? (int)Math.Min(length, limits.MaxBytes) : 4096);
        await request.Body.CopyToAsync(body, cancel);
        if (body.Length % (columns * sizeof(float)) != 0)
            return Bad($"Rows have {columns} numbers of 4 bytes; {body.Length} bytes are no whole number of rows.");
        var count = (int)(body.Length / (columns * sizeof(float)));
        if (count > limits.MaxRows) return TooMany(count, limits);
        var scores = ArrayPool<float>.Shared.Rent(Math.Max(1, count));
        try
        {
            if (Refusal(() =>
            {
                var rows = MemoryMarshal.Cast<byte, float>(body.GetBuffer().AsSpan(0, (int)body.Length));
                for (var start = 0; start < count; start += Together)
                {
                    cancel.ThrowIfCancellationRequested();
                    var some = Math.Min(Together, count - start);
                    flow.LogProbInto(rows.Slice(start * columns, some * columns), scores.AsSpan(start, some));
                }
            }) is { } wrong) return wrong;
            return Results.Bytes(MemoryMarshal.AsBytes(scores.AsSpan(0, count)).ToArray(), "application/octet-stream");
        }
        finally { ArrayPool<float>.Shared.Return(scores); }
    }

    // what the library refuses is the caller's fault, and its message says what came and what was expected
    private static IResult? Refusal(Action score)
    {
        try { score(); }
        catch (Exception e) when (e is ArgumentException or NonFiniteException) { return Bad(e.Message); }
        return null;
    }

    private static IResult TooMany(int rows, ServiceLimits limits) => Results.Problem(
        $"A request may have {limits.MaxRows} rows; got {rows}. Send them in parts.", statusCode: StatusCodes.Status413PayloadTooLarge);

    private static IResult Bad(string why) => Results.Problem(why, statusCode: StatusCodes.Status400BadRequest);
}
