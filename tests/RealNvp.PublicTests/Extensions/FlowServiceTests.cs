using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RealNvp.Extensions;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.PublicTests.Extensions;

public sealed class FlowServiceTests : IDisposable
{
    private static readonly double[,] rows = { { 0, 1 }, { 2, 3 } };
    private readonly string path = Path.Combine(Path.GetTempPath(), $"realnvp-services-{Guid.NewGuid():N}.safetensors");
    private readonly double[] scores;

    public FlowServiceTests()
    {
        using var model = new RealNvpModel(RealNvpOptions.Tabular(2), seed: 1);
        model.eval();
        model.Save(path);
        scores = model.LogProb(rows);
    }

    public void Dispose() => File.Delete(path);

    [Fact]
    public void A_flow_of_a_file_is_one_instance_under_all_its_classes()
    {
        using var provider = new ServiceCollection().AddFlow<RealNvpModel>(path).BuildServiceProvider();
        var model = provider.GetRequiredService<RealNvpModel>();
        provider.GetRequiredService<FlowModel>().Should().BeSameAs(model);
        provider.GetRequiredService<Flow>().Should().BeSameAs(model);
        using (var scope = provider.CreateScope()) scope.ServiceProvider.GetRequiredService<FlowModel>().Should().BeSameAs(model);
        model.training.Should().BeFalse();
        model.LogProb(rows).Should().Equal(scores);

        using var any = new ServiceCollection().AddFlow(path).BuildServiceProvider();
        any.GetRequiredService<FlowModel>().Should().BeOfType<RealNvpModel>().And.BeSameAs(any.GetRequiredService<Flow>());
    }

    [Theory, InlineData(null), InlineData("key")]
    public void Of_several_flows_Flow_is_the_one_that_FlowModel_is_in_whatever_order_they_are_registered(string? key)
    {
        var other = path + ".nice";
        using (var model = new NiceModel(NiceOptions.Tabular(2), seed: 1)) model.Save(other);
        try
        {
            void Add<T>(IServiceCollection services, string file) where T : FlowModel
            {
                if (key is null) services.AddFlow<T>(file);
                else services.AddKeyedFlow<T>(key, file);
            }

            void Typed(IServiceCollection s) => Add<RealNvpModel>(s, path);
            void Nice(IServiceCollection s) => Add<NiceModel>(s, other);
            void Any(IServiceCollection s) => Add<FlowModel>(s, other);
            void AnyToo(IServiceCollection s) => Add<FlowModel>(s, path);
            var cases = new (Type Expected, Action<IServiceCollection>[] Added)[]
            {
                (typeof(RealNvpModel), [Typed, Nice]), (typeof(NiceModel), [Nice, Typed]), (typeof(NiceModel), [Typed, Any]),
                (typeof(NiceModel), [Any, Typed]), (typeof(NiceModel), [AnyToo, Any]), (typeof(RealNvpModel), [Any, Nice, AnyToo]),
            };
            foreach (var (expected, added) in cases)
            {
                var services = new ServiceCollection();
                foreach (var add in added) add(services);
                using var provider = services.BuildServiceProvider();
                provider.GetRequiredKeyedService<FlowModel>(key).Should().BeOfType(expected)
                    .And.BeSameAs(provider.GetRequiredKeyedService<Flow>(key));
            }
        }
        finally { File.Delete(other); }
    }

    [Fact]
    public void The_container_disposes_the_flow_once_and_only_if_it_was_loaded()
    {
        var provider = new ServiceCollection().AddFlow<RealNvpModel>(path).BuildServiceProvider();
        var model = provider.GetRequiredService<RealNvpModel>();
        _ = provider.GetRequiredService<Flow>();
        provider.Dispose();
        Assert.Throws<ObjectDisposedException>(() => model.LogProb(rows));
        // no file is opened
        new ServiceCollection().AddFlow<RealNvpModel>("nowhere.safetensors").BuildServiceProvider().Dispose();
    }

    [Fact]
    public void Flows_with_keys_stand_beside_one_another()
    {
        using var provider = new ServiceCollection().AddKeyedFlow<FlowModel>("a", path)
            .AddKeyedFlow<RealNvpModel>("b", _ => path, o => o.Dtype = ScalarType.Float64).BuildServiceProvider();
        var (a, b) = (provider.GetRequiredKeyedService<FlowModel>("a"), provider.GetRequiredKeyedService<FlowModel>("b"));
        b.Should().NotBeSameAs(a).And.BeSameAs(provider.GetRequiredKeyedService<RealNvpModel>("b"))
            .And.BeSameAs(provider.GetRequiredKeyedService<Flow>("b"));
        b.parameters().Should().OnlyContain(p => p.dtype == ScalarType.Float64);
        provider.GetService<FlowModel>().Should().BeNull("it is asked for by its key");
        b.LogProb(rows).Should().Equal(scores, (x, y) => Math.Abs(x - y) < 1e-4);
    }

    [Fact]
    public async Task The_host_loads_before_it_serves_and_a_bad_file_ends_the_start_unless_LoadAtStart_is_false()
    {
        var log = new ListLogger();
        await using var provider = new ServiceCollection().AddSingleton<ILoggerFactory>(log)
            .AddFlow<RealNvpModel>(path).BuildServiceProvider();
        foreach (var service in provider.GetServices<IHostedService>().Cast<IHostedLifecycleService>())
        {
            await service.StartingAsync(default);
            log.Lines.Should().ContainSingle().Which.Should().StartWith("Information: Loaded RealNvpModel from " + path)
                .And.EndWith(" s.", "it has no rows to tell");
            await service.StartAsync(default);
            await service.StopAsync(default);
        }
        provider.GetRequiredService<FlowModel>();
        log.Lines.Should().ContainSingle("it is not loaded again");

        var none = new ServiceCollection().AddFlow(path, o => o.LoadAtStart = false)
            .AddKeyedFlow<FlowModel>("k", path, o => o.LoadAtStart = false);
        none.Should().NotContain(s => s.ServiceType == typeof(IHostedService));

        // absent, cut off, empty, of another class
        var (cut, empty) = (path + ".cut", path + ".empty");
        File.WriteAllBytes(cut, File.ReadAllBytes(path)[..^100]);
        File.WriteAllBytes(empty, []);
        try
        {
            foreach (var services in new[] { path + ".no", cut, empty }.SelectMany(f => new[] { new ServiceCollection().AddFlow(f),
                new ServiceCollection().AddKeyedFlow<FlowModel>("k", f) }).Append(new ServiceCollection().AddFlow<GlowModel>(path)))
            {
                await using var bad = services.BuildServiceProvider();
                var start = bad.GetServices<IHostedService>().Cast<IHostedLifecycleService>().Single();
                (await Assert.ThrowsAsync<InvalidOperationException>(() => start.StartingAsync(default))).Message.Should()
                    .Contain($"could not be loaded from {path}");
            }
        }
        finally
        {
            File.Delete(cut);
            File.Delete(empty);
        }
    }

    public static TheoryData<string> Registrations => ["alone", "with a key", "of a class"];

    [Theory, MemberData(nameof(Registrations))]
    public async Task The_end_of_a_container_waits_for_calls_that_run_and_later_ones_are_refused(string how)
    {
        void Wait(FlowServiceOptions o) => o.StopTimeout = TimeSpan.FromSeconds(20);
        var services = new ServiceCollection();
        services = how switch
        {
            "alone" => (ServiceCollection)services.AddFlow(path, Wait),
            "with a key" => (ServiceCollection)services.AddKeyedFlow<RealNvpModel>("k", path, Wait),
            _ => (ServiceCollection)services.AddFlow<RealNvpModel>(_ => path, Wait),
        };
        var provider = services.BuildServiceProvider();
        var flow = how == "with a key" ? provider.GetRequiredKeyedService<Flow>("k") : provider.GetRequiredService<Flow>();
        var weight = flow.parameters().First();
        using ManualResetEventSlim entered = new(), go = new();
        var call = Task.Run(() => flow.LogProb(rows, batchSize: 1, progress: new Now(_ =>
        {
            entered.Set();
            go.Wait();
        })));
        entered.Wait();
        var end = Task.Run(async () => await provider.DisposeAsync());
        (await Task.WhenAny(end, Task.Delay(100))).Should().NotBe(end, "a call runs");
        weight.IsInvalid.Should().BeFalse();
        Assert.Throws<ObjectDisposedException>(() => flow.LogProb(rows)).Message.Should().Contain("has been disposed");
        go.Set();
        (await call).Should().Equal(scores, (a, b) => Math.Abs(a - b) <= 1e-5 * (1 + Math.Abs(b)));
        await end;
        weight.IsInvalid.Should().BeTrue();
    }

    [Fact]
    public async Task A_call_that_takes_longer_than_the_container_waits_is_told_to_the_log_and_keeps_its_weights()
    {
        var log = new ListLogger();
        var provider = new ServiceCollection().AddSingleton<ILoggerFactory>(log).AddFlow(path, o => o.StopTimeout = TimeSpan.Zero)
            .BuildServiceProvider();
        var flow = provider.GetRequiredService<Flow>();
        using ManualResetEventSlim entered = new(), go = new();
        var call = Task.Run(() => flow.LogProb(rows, batchSize: 1, progress: new Now(_ =>
        {
            entered.Set();
            go.Wait();
        })));
        entered.Wait();
        await provider.DisposeAsync();
        log.Lines.Should().ContainSingle(l => l.StartsWith("Warning")).Which.Should().Contain(path).And.Contain("still runs 0 s");
        go.Set();
        (await call).Should().HaveCount(2);
        Assert.Throws<ArgumentException>(() => new ServiceCollection().AddFlow(path, o => o.StopTimeout = TimeSpan.FromSeconds(-2)))
            .Message.Should().Contain("StopTimeout").And.Contain("-00:00:02");
    }

    private sealed class Now(Action<long> heard) : IProgress<long>
    {
        public void Report(long value) => heard(value);
    }

    [Fact]
    public void What_is_wrong_with_a_file_is_said_with_its_name()
    {
        Message<RealNvpModel>("nowhere.safetensors").Should().Contain("RealNvpModel").And.Contain(Path.GetFullPath("nowhere.safetensors"));
        Message<GlowModel>(path).Should().Contain("GlowModel could not be loaded from " + path).And.Contain("RealNvpModel");
        var damaged = path + ".damaged";
        File.WriteAllBytes(damaged, File.ReadAllBytes(path)[..^100]);
        try { Message<FlowModel>(damaged).Should().Contain(damaged); }
        finally { File.Delete(damaged); }

        using var empty = new ServiceCollection().AddFlow<FlowModel>(_ => "").BuildServiceProvider();
        Assert.Throws<InvalidOperationException>(empty.GetRequiredService<FlowModel>).Message.Should().Contain("no path");
        Assert.Throws<ArgumentException>(() => new ServiceCollection().AddFlow(" "));
        Assert.Throws<ArgumentException>(() => new ServiceCollection().AddFlow(path, o => o.Threads = 0)).Message.Should()
            .Contain("Threads");
        Assert.Throws<ArgumentException>(() => new ServiceCollection().AddFlow(path, o => o.Dtype = ScalarType.Float16)).Message.Should()
            .Contain("Float16");

        static string Message<T>(string path) where T : FlowModel
        {
            using var provider = new ServiceCollection().AddFlow<T>(path).BuildServiceProvider();
            return Assert.Throws<InvalidOperationException>(provider.GetRequiredService<T>).Message;
        }
    }

    [Fact]
    public void Threads_are_those_that_were_asked_for()
    {
        var before = get_num_threads();
        try
        {
            using var provider = new ServiceCollection().AddFlow(path, o => o.Threads = 3).BuildServiceProvider();
            get_num_threads().Should().Be(before, "nothing is loaded yet");
            provider.GetRequiredService<FlowModel>();
            get_num_threads().Should().Be(3);
        }
        finally { set_num_threads(before); }
    }

    [Fact]
    public async Task The_health_check_draws_and_scores_or_says_why_it_cannot()
    {
        using var model = new RealNvpModel(RealNvpOptions.Tabular(2), seed: 1);
        model.eval();
        var healthy = await Checked(new FlowHealthCheck(model));
        healthy.Status.Should().Be(HealthStatus.Healthy);
        healthy.Data.Keys.Should().Contain(["model", "log_prob", "seconds"]);

        using var conditional = new RealNvpModel(RealNvpOptions.Tabular(2) with { ContextSize = 2 }, seed: 1);
        (await Checked(new FlowHealthCheck(conditional))).Status.Should().Be(HealthStatus.Healthy);
        (await Checked(new FlowHealthCheck(conditional, [1, 2]))).Status.Should().Be(HealthStatus.Healthy);
        (await Checked(new FlowHealthCheck(conditional, [1]))).Description.Should().Contain("2 number(s)");
        using var labelled = new Flow([2], new AffineCouplingLayer([2], Mask.FirstHalf(2), new ResidualMlp(1, 2, 8, 1, 3)),
            contextEncoder: new LabelEncoder(3));
        (await Checked(new FlowHealthCheck(labelled))).Status.Should().Be(HealthStatus.Healthy);

        using (no_grad()) model.parameters().First().fill_(double.NaN);
        var sick = await Checked(new FlowHealthCheck(model));
        sick.Status.Should().Be(HealthStatus.Degraded, "the registration says so");
        sick.Exception.Should().BeOfType<NonFiniteException>();
        sick.Description.Should().Contain("not finite");
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => new FlowHealthCheck(model).CheckHealthAsync(new(), new(true)));
    }

    private static Task<HealthCheckResult> Checked(FlowHealthCheck check) => check.CheckHealthAsync(
        new HealthCheckContext { Registration = new HealthCheckRegistration("flow", check, HealthStatus.Degraded, null) });
}
