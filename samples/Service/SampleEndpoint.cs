using System.Globalization;
using System.Text.Json;

namespace RealNvp.Samples.Service;

/// <summary>Streams samples, a JSON array a line, as they are drawn: memory does not grow with their number.</summary>
internal static class SampleEndpoint
{
    // samples that are drawn together
    private const int Together = 1024;

    /// <summary>GET /sample?count=100&amp;seed=1&amp;temperature=0.8.</summary>
    public static async Task StreamAsync(HttpContext http, FlowModel flow, ServiceLimits limits, IHostApplicationLifetime host,
        int count = 1,
        long? seed = null, string? temperature = null)
    {
        // by itself a double may have commas between thousands, and 0,5 would be 5
        if (!double.TryParse(temperature ?? "1", NumberStyles.Float, CultureInfo.InvariantCulture, out var scale)) scale = double.NaN;
        // a stream may be long: it ends when the client leaves, when its time is over, and when the service stops
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, host.ApplicationStopping);
        var cancel = stop.Token;
        if (count < 0 || count > limits.MaxSamples || !(scale is >= 0 and <= 10))
        {
            await Results.Problem($"count is in 0 ... {limits.MaxSamples}, temperature in 0 ... 10; got {count} and {temperature ?? "1"}.",
                statusCode: StatusCodes.Status400BadRequest).ExecuteAsync(http);
            return;
        }
        http.Response.ContentType = "application/x-ndjson";
        try
        {
            for (var start = 0; start < count; start += Together) await PartAsync(start);
        }
        // what has begun cannot be called off but by the end of the connection, which the client sees as a stream that is cut
        catch (OperationCanceledException) when (http.Response.HasStarted) { http.Abort(); }

        async Task PartAsync(int start)
        {
            // each part has a seed of its own; no scope of torch's is open across an await
            var rows = flow.SampleArray(Math.Min(Together, count - start), temperature: scale,
                seed: seed is { } s ? unchecked(s + start) : null, cancellationToken: cancel);
            var lines = new MemoryStream();
            using (var json = new Utf8JsonWriter(lines)) Write(json, lines, rows);
            await http.Response.Body.WriteAsync(lines.GetBuffer().AsMemory(0, (int)lines.Length), cancel);
        }
    }

    private static void Write(Utf8JsonWriter json, MemoryStream lines, double[,] rows)
    {
        for (var i = 0; i < rows.GetLength(0); i++)
        {
            json.WriteStartArray();
            for (var j = 0; j < rows.GetLength(1); j++) json.WriteNumberValue(rows[i, j]);
            json.WriteEndArray();
            json.Flush();
            lines.WriteByte((byte)'\n');
            json.Reset();
        }
    }
}
