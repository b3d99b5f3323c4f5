using System.Net;
using System.Net.Http.Headers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace RealNvp.Samples.Service;

/// <summary>One thing to ask, and whether the answer is right.</summary>
/// <param name="Kind">What it is, for a table.</param>
/// <param name="Rows">How many rows or samples are asked for.</param>
/// <param name="AskAsync">Asks; null if the answer is right, else what is wrong with it.</param>
internal sealed record LoadCase(string Kind, long Rows, Func<HttpClient, CancellationToken, Task<string?>> AskAsync);

/// <summary>What clients ask: mostly rows to score, with answers that were computed beforehand, and now and then what a service
/// must refuse or survive.</summary>
internal sealed class LoadCases
{
    private readonly LoadCase[] ordinary, odd;

    private LoadCases(LoadCase[] ordinary, LoadCase[] odd) => (this.ordinary, this.odd) = (ordinary, odd);

    /// <summary>All of them.</summary>
    public IEnumerable<LoadCase> All => [.. ordinary, .. odd];

    /// <summary>Three of four are ordinary.</summary>
    public LoadCase Next(Random random) => random.Next(4) < 3 ? ordinary[random.Next(ordinary.Length)] : odd[random.Next(odd.Length)];

    /// <summary>Computes the answers.</summary>
    /// <param name="model">A model of three columns.</param>
    public static LoadCases Of(FlowModel model)
    {
        var ordinary = new List<LoadCase>();
        foreach (var count in new[] { 1, 2, 10, 10, 100, 100, 1000, 5000 })
        {
            var rows = FirstModel.Rows(count, seed: 100 + ordinary.Count);
            if (count == 100) rows[7, 0] = 1e30;   // so far out that no density reaches it
            var numbers = rows.Cast<double>().Select(v => (float)v).ToArray();
            var scores = model.LogProb(new DataRows(numbers, 3));
            if (count <= 100) ordinary.Add(Json(rows, model.LogProb(rows)));
            ordinary.Add(Binary(numbers, scores));
        }
        var samples = model.SampleArray(300, temperature: 0.8, seed: 5);
        ordinary.Add(new("samples, 300", 300, async (http, cancel) =>
        {
            var lines = (await http.GetStringAsync("/sample?count=300&seed=5&temperature=0.8", cancel))
                .Split('\n', StringSplitOptions.RemoveEmptyEntries);
            var got = lines.SelectMany(line => JsonSerializer.Deserialize<double[]>(line)!).ToArray();
            return Differs(got, [.. samples.Cast<double>()]);
        }));

        LoadCase[] odd =
        [
            Refused("malformed JSON", HttpStatusCode.BadRequest, "JSON", () => Text("[[1, 2, 3], [4,")),
            Refused("JSON of texts", HttpStatusCode.BadRequest, "JSON", () => Text("[[\"a\", 2, 3]]")),
            Refused("NaN in JSON", HttpStatusCode.BadRequest, "JSON", () => Text("[[NaN, 2, 3]]")),
            Far(model),
            Refused("a null row", HttpStatusCode.BadRequest, "Row 1 is null", () => Text("[[1, 2, 3], null]")),
            Refused("wrong columns", HttpStatusCode.BadRequest, "3 number(s)", () => Text("[[1, 2]]")),
            Refused("rows of two lengths", HttpStatusCode.BadRequest, "row 1 has 2", () => Text("[[1, 2, 3], [1, 2]]")),
            Refused("NaN in a batch", HttpStatusCode.BadRequest, "row", () => Floats([1, 2, 3, 4, float.NaN, 6]), binary: true),
            Refused("bytes that are no rows", HttpStatusCode.BadRequest, "no whole number", () => Floats([1, 2]), binary: true),
            Refused("too many rows", HttpStatusCode.RequestEntityTooLarge, "50000 rows", () => Floats(new float[3 * 50_001]), binary: true),
            Refused("a huge body", HttpStatusCode.RequestEntityTooLarge, "", () => Floats(new float[1 << 21]), binary: true),
            new("a request that is cancelled", 0, async (http, cancel) =>
            {
                using var soon = CancellationTokenSource.CreateLinkedTokenSource(cancel);
                soon.CancelAfter(1);
                try { using var answer = await http.GetAsync("/sample?count=200000&seed=1", HttpCompletionOption.ResponseHeadersRead,
                    soon.Token); }
                catch (OperationCanceledException) { }
                return null;
            }),
            new("a stream that is left", 0, async (http, cancel) =>
            {
                using var answer = await http.GetAsync("/sample?count=100000&seed=1", HttpCompletionOption.ResponseHeadersRead, cancel);
                await using var stream = await answer.Content.ReadAsStreamAsync(cancel);
                var some = new byte[100];
                return await stream.ReadAtLeastAsync(some, 100, cancellationToken: cancel) == 100 && some[0] == '[' ? null
                    : "no samples came";
            }),
        ];
        return new([.. ordinary], odd);
    }

    // numbers that float32 has not: minus infinity, or no number at all, as the layers are
    private static LoadCase Far(FlowModel model)
    {
        var rows = new double[,] { { 1, 2, 3 }, { 1e308, -1e308, 3 } };
        try { return Json(rows, model.LogProb(rows)); }
        catch (NonFiniteException)
        {
            return Refused("numbers that float32 has not", HttpStatusCode.BadRequest, "row 1",
                () => Text(JsonSerializer.Serialize(rows.Cast<double>().Chunk(3))));
        }
    }

    private static LoadCase Json(double[,] rows, double[] scores)
    {
        var body = JsonSerializer.Serialize(rows.Cast<double>().Chunk(3));
        return new($"JSON, {scores.Length} rows", scores.Length, async (http, cancel) =>
        {
            using var answer = await http.PostAsync("/score", Text(body), cancel);
            if (answer.StatusCode != HttpStatusCode.OK) return $"status {answer.StatusCode}";
            var got = JsonSerializer.Deserialize<double?[]>(await answer.Content.ReadAsStreamAsync(cancel))!;
            return Differs([.. got.Select(v => v ?? double.NegativeInfinity)], scores);
        });
    }

    private static LoadCase Binary(float[] numbers, double[] scores) =>
        new($"binary, {scores.Length} rows", scores.Length, async (http, cancel) =>
    {
        using var answer = await http.PostAsync("/score/binary", Floats(numbers), cancel);
        if (answer.StatusCode != HttpStatusCode.OK) return $"status {answer.StatusCode}";
        var got = MemoryMarshal.Cast<byte, float>(await answer.Content.ReadAsByteArrayAsync(cancel)).ToArray();
        return Differs([.. got.Select(v => (double)v)], scores);
    });

    private static LoadCase Refused(string kind, HttpStatusCode status, string word, Func<HttpContent> body, bool binary = false) =>
        new(kind, 0, async (http, cancel) =>
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, binary ? "/score/binary" : "/score") { Content = body() };
            // a body that is too large is refused before it is sent
            request.Headers.ExpectContinue = request.Content.Headers.ContentLength > 1 << 20;
            using var answer = await http.SendAsync(request, cancel);
            var text = await answer.Content.ReadAsStringAsync(cancel);
            return answer.StatusCode == status && text.Contains(word, StringComparison.Ordinal) ? null
                : $"expected {status} with '{word}'; got {answer.StatusCode}: {text}";
        });

    private static StringContent Text(string json) => new(json, Encoding.UTF8, "application/json");

    private static ByteArrayContent Floats(float[] numbers) => new(MemoryMarshal.AsBytes(numbers.AsSpan()).ToArray())
        { Headers = { ContentType = new MediaTypeHeaderValue("application/octet-stream") } };

    // the same rows at the same place of a batch give the same numbers, but for what a text loses
    private static string? Differs(double[] got, double[] wanted)
    {
        if (got.Length != wanted.Length) return $"expected {wanted.Length} numbers; got {got.Length}";
        for (var i = 0; i < got.Length; i++)
            if (got[i] != wanted[i] && !(Math.Abs(got[i] - wanted[i]) <= 1e-6 * (1 + Math.Abs(wanted[i]))))
                return FormattableString.Invariant($"number {i}: expected {wanted[i]}; got {got[i]}");
        return null;
    }
}
