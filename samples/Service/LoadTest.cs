using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace RealNvp.Samples.Service;

/// <summary>Clients that ask a service of this process over a socket, and
/// compare each answer with one that was computed beforehand.</summary>
internal static class LoadTest
{
    /// <summary>Runs it.</summary>
    /// <param name="clients">How many ask at once.</param>
    /// <param name="time">How long.</param>
    /// <param name="model">The file of a model of three columns; null for one that is trained now.</param>
    public static async Task<LoadReport> RunAsync(int clients, TimeSpan time, string? model = null)
    {
        var path = model ?? new ServiceLimits().Model;
        await using var service = FlowService.Create(["--urls", "http://127.0.0.1:0", "--Service:Model", path,
            "--Logging:LogLevel:Default", "Error"]);
        await service.StartAsync();
        // who sends a body that is too large waits for the refusal, also on a busy machine
        using var patient = new SocketsHttpHandler { Expect100ContinueTimeout = TimeSpan.FromSeconds(60) };
        using var http = new HttpClient(patient) { BaseAddress = new Uri(service.Urls.Single()) };

        // what each answer must be, by a model of one's own
        LoadCases cases;
        using (var own = FlowModel.Load(path)) cases = LoadCases.Of(own);
        foreach (var one in cases.All) await one.AskAsync(http, default);   // everything is compiled once

        var answers = new ConcurrentBag<(string Kind, TimeSpan Time, long Rows)>();
        var wrong = new ConcurrentBag<string>();
        var memory = Environment.WorkingSet;
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, clients).Select(client => Task.Run(async () =>
        {
            var random = new Random(client);
            while (watch.Elapsed < time)
            {
                var one = cases.Next(random);
                var start = Stopwatch.GetTimestamp();
                string? fault;
                try { fault = await one.AskAsync(http, default); }
                catch (HttpRequestException e) { fault = e.Message; }
                answers.Add((one.Kind, Stopwatch.GetElapsedTime(start), one.Rows));
                if (fault is not null) wrong.Add($"{one.Kind}: {fault}");
            }
        })));
        var seconds = watch.Elapsed.TotalSeconds;
        var ready = await http.GetStringAsync("/health/ready");
        if (ready != "Healthy") wrong.Add($"after the load the service is {ready}");
        await service.StopAsync();
        return new LoadReport(clients, seconds, [.. answers], [.. wrong], memory, Environment.WorkingSet);
    }
}

/// <summary>What a load test gave.</summary>
internal sealed record LoadReport(int Clients, double Seconds, (string Kind, TimeSpan Time, long Rows)[] Answers,
    IReadOnlyList<string> Wrong,
    long MemoryBefore, long MemoryAfter)
{
    /// <summary>The figures of the README.</summary>
    public override string ToString()
    {
        var culture = CultureInfo.InvariantCulture;
        var lines = new List<string>
        {
            string.Create(culture, $"{Clients} clients, {Environment.ProcessorCount} cores, {Seconds:0} s: {Answers.Length:N0} requests, " +
                $"{Answers.Length / Seconds:N0} a second, {Answers.Sum(a => a.Rows) / Seconds:N0} rows a second"),
            string.Create(culture, $"wrong answers: {Wrong.Count}; memory {MemoryBefore >> 20} MB before, {MemoryAfter >> 20} MB after"),
            $"{"kind",-28} {"requests",9} {"median",10} {"95 %",10} {"99 %",10} {"longest",10}",
        };
        foreach (var kind in Answers.GroupBy(a => a.Kind).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            var times = kind.Select(a => a.Time.TotalMilliseconds).Order().ToArray();
            string At(double part) => string.Create(culture, $"{times[(int)Math.Min(times.Length - 1, part * times.Length)],7:0.0} ms");
            lines.Add(string.Create(culture, $"{kind.Key,-28} {times.Length,9:N0} {At(0.5)} {At(0.95)} {At(0.99)} {At(1)}"));
        }
        lines.AddRange(Wrong.Take(10).Select(w => $"WRONG {w}"));
        return string.Join('\n', lines);
    }
}
