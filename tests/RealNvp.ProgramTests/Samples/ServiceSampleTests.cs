using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using RealNvp.Samples.Service;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Samples;

/// <summary>The service of the sample on a free port, asked over a socket.</summary>
[Collection("Console")]
public sealed class ServiceSampleTests
{
    [Fact]
    public async Task It_answers_as_the_model_does_and_refuses_what_it_must()
    {
        using var folder = new TemporaryFolder();
        var path = folder.At("model.safetensors");
        using var model = new SplineFlowModel(SplineFlowOptions.Tabular(3, 100) with { Layers = 2, Hidden = 8, Blocks = 1 }, seed: 1);
        model.eval();
        model.Save(path);
        await using var service = await StartAsync(path);
        using var http = new HttpClient(new SocketsHttpHandler { Expect100ContinueTimeout = TimeSpan.FromSeconds(60) }) {
            BaseAddress = service.Address };

        // rows as JSON and as bytes, samples, malformed, wrong, NaN, too many, too large, cancelled, left
        var cases = LoadCases.Of(model).All.ToArray();
        cases.Should().HaveCountGreaterThan(20).And.Contain(c => c.Kind == "numbers that float32 has not");
        foreach (var one in cases) (await one.AskAsync(http, default)).Should().BeNull("{0} is answered so", one.Kind);

        (await http.PostAsJsonAsync("/score", Array.Empty<double[]>())).StatusCode.Should().Be(HttpStatusCode.OK);
        using var none = await http.PostAsync("/score", new StringContent("null", Encoding.UTF8, "application/json"));
        (none.StatusCode, await none.Content.ReadAsStringAsync()).Should().Match<(HttpStatusCode, string)>(a =>
            a.Item1 == HttpStatusCode.BadRequest && a.Item2.Contains("null"));
        (await http.GetAsync("/sample?count=-1")).StatusCode.Should().Be(HttpStatusCode.BadRequest);
        (await http.GetAsync("/sample?count=99999999")).StatusCode.Should().Be(HttpStatusCode.BadRequest);
        (await http.GetAsync("/sample?temperature=0,5")).StatusCode.Should().Be(HttpStatusCode.BadRequest, "it is not 5");
        (await http.GetAsync("/nowhere")).StatusCode.Should().Be(HttpStatusCode.NotFound);
        (await http.GetStringAsync("/health/live")).Should().Be("Healthy");
        (await http.GetStringAsync("/health/ready")).Should().Be("Healthy");
        (await http.GetStringAsync("/model")).Should().Contain("SplineFlowModel").And.Contain("\"shape\":[3]");
        (await http.GetStringAsync("/metrics")).Should()
            .Contain("realnvp_operation_examples_total{realnvp_operation_name=\"log_prob\",realnvp_model_name=\"SplineFlowModel\"} ")
            .And.Contain("realnvp_nonfinite_cause=\"input\"} 1").And.Contain("realnvp_operation_duration_seconds_count");
    }

    [Fact]
    public async Task Who_comes_when_all_places_are_taken_is_told_to_come_again_and_who_takes_too_long_is_given_up()
    {
        using var folder = new TemporaryFolder();
        var path = folder.At("model.safetensors");
        using (var model = new RealNvpModel(RealNvpOptions.Tabular(3), seed: 1)) model.Save(path);
        await using var service = await StartAsync(path, "--Service:Concurrency", "1", "--Service:Queue", "0", "--Service:Seconds", "0.5");
        using var http = new HttpClient(new SocketsHttpHandler { Expect100ContinueTimeout = TimeSpan.FromSeconds(60) }) {
            BaseAddress = service.Address };

        // a stream that nobody reads holds the one place, until its time is over
        var first = await http.GetAsync("/sample?count=1000000", HttpCompletionOption.ResponseHeadersRead);
        using var second = await http.PostAsJsonAsync("/score", new[] { new[] { 1.0, 2, 3 } });
        second.StatusCode.Should().Be(HttpStatusCode.ServiceUnavailable);
        second.Headers.RetryAfter!.Delta.Should().Be(TimeSpan.FromSeconds(1));
        (await http.GetStringAsync("/health/live")).Should().Be("Healthy", "health needs no place");
        await Assert.ThrowsAnyAsync<Exception>(() => first.Content.CopyToAsync(Stream.Null));
        first.Dispose();
        var again = HttpStatusCode.ServiceUnavailable;
        for (var i = 0; i < 100 && again != HttpStatusCode.OK; i++, await Task.Delay(20))
            again = (await http.PostAsJsonAsync("/score", new[] { new[] { 1.0, 2, 3 } })).StatusCode;
        again.Should().Be(HttpStatusCode.OK, "the place is free again");
    }

    [Fact]
    public async Task Clients_that_send_slowly_take_no_place_from_others()
    {
        using var folder = new TemporaryFolder();
        var path = folder.At("model.safetensors");
        using (var model = new RealNvpModel(RealNvpOptions.Tabular(3), seed: 1)) model.Save(path);
        await using var service = await StartAsync(path, "--Service:Concurrency", "1", "--Service:Queue", "0");
        var slow = Enumerable.Range(0, 8).Select(_ => new TcpClient(service.Address.Host, service.Address.Port)).ToArray();
        var begun = Encoding.ASCII.GetBytes("POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n[[1,");
        foreach (var client in slow) await client.GetStream().WriteAsync(begun);
        using var http = new HttpClient { BaseAddress = service.Address };
        for (var i = 0; i < 5; i++)
            (await http.PostAsJsonAsync("/score", new[] { new[] { 1.0, 2, 3 } })).StatusCode.Should().Be(HttpStatusCode.OK);
        await slow[0].GetStream().WriteAsync("2,3]]\n"u8.ToArray());
        var answer = new byte[12];
        await slow[0].GetStream().ReadExactlyAsync(answer);
        Encoding.ASCII.GetString(answer).Should().Be("HTTP/1.1 200");
        foreach (var client in slow) client.Dispose();
    }

    [Fact]
    public async Task A_service_that_stops_at_once_while_it_computes_gives_answers_or_errors_and_disposes_the_flow()
    {
        using var folder = new TemporaryFolder();
        var path = folder.At("model.safetensors");
        using var model = new RealNvpModel(RealNvpOptions.Tabular(3), seed: 1);
        model.eval();
        model.Save(path);
        var rows = new byte[12 * 5000];
        for (var round = 0; round < 3; round++)
        {
            var service = FlowService.Create(["--urls", "http://127.0.0.1:0", "--Service:Model", path,
                "--Logging:LogLevel:Default", "None"]);
            await service.StartAsync();
            var flow = service.Services.GetRequiredService<Flow>();
            using var http = new HttpClient { BaseAddress = new(service.Urls.Single()) };
            var answers = 0;
            var clients = Enumerable.Range(0, 3).Select(_ => Task.Run(async () =>
            {
                try
                {
                    while (true)
                    {
                        using var answer = await http.PostAsync("/score/binary", new ByteArrayContent(rows));
                        if (answer.StatusCode != HttpStatusCode.OK) return;
                        (await answer.Content.ReadAsByteArrayAsync()).Should().HaveCount(4 * 5000);
                        Interlocked.Increment(ref answers);
                    }
                }
                catch (HttpRequestException) { }
                catch (IOException) { }
            })).ToArray();
            SpinWait.SpinUntil(() => Volatile.Read(ref answers) >= 3, TimeSpan.FromSeconds(30)).Should().BeTrue();
            // no grace: requests run while the container disposes
            await service.StopAsync(new CancellationToken(canceled: true));
            await service.DisposeAsync();
            flow.WaitForCalls(TimeSpan.Zero).Should().BeTrue("the container has waited");
            Assert.Throws<ObjectDisposedException>(() => flow.LogProb(new float[3]));
            await Task.WhenAll(clients);
            answers.Should().BePositive();
        }
    }

    [SlowFact]
    public async Task Many_clients_get_no_wrong_answer()
    {
        using var folder = new TemporaryFolder();
        var report = await LoadTest.RunAsync(clients: 8, TimeSpan.FromSeconds(20), folder.At("model.safetensors"));
        report.Wrong.Should().BeEmpty(report.ToString());
        report.Answers.Should().HaveCountGreaterThan(100);
        report.MemoryAfter.Should().BeLessThan(report.MemoryBefore + (200 << 20));
    }

    private static async Task<Running> StartAsync(string path, params string[] settings)
    {
        var service = FlowService.Create(["--urls", "http://127.0.0.1:0", "--Service:Model", path, "--Logging:LogLevel:Default", "Error",
            .. settings]);
        await service.StartAsync();
        return new Running(service);
    }

    // requests end before the model is disposed
    private sealed class Running(WebApplication service) : IAsyncDisposable
    {
        public Uri Address { get; } = new(service.Urls.Single());

        public async ValueTask DisposeAsync()
        {
            await service.StopAsync();
            await service.DisposeAsync();
        }
    }
}
