using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.AspNetCore.RateLimiting;
using RealNvp.Extensions;

namespace RealNvp.Samples.Service;

/// <summary>The service: a flow behind HTTP, with limits of size, time and concurrency.</summary>
internal static class FlowService
{
    private const string Computes = "computes";

    /// <summary>Makes the service, which is then run or started. Trains a model if there is none.</summary>
    /// <param name="args">Settings, such as <c>--Service:Model my.safetensors</c>.</param>
    public static WebApplication Create(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        var limits = builder.Configuration.GetSection("Service").Get<ServiceLimits>() ?? new ServiceLimits();
        if (!File.Exists(limits.Model)) FirstModel.Train(limits.Model);

        builder.WebHost.ConfigureKestrel(kestrel => (kestrel.Limits.MaxRequestBodySize, kestrel.Limits.MaxConcurrentConnections) =
            (limits.MaxBytes, limits.Connections));
        builder.Services.AddSingleton(limits).AddSingleton<MetricsText>();
        builder.Services.AddFlow<FlowModel>(limits.Model, flow => flow.Threads = 1);   // each request computes on its own thread
        builder.Services.AddHealthChecks().AddCheck<FlowHealthCheck>("flow");
        builder.Services.AddProblemDetails();
        builder.Services.AddRequestTimeouts(timeouts => timeouts.DefaultPolicy = new RequestTimeoutPolicy
            { Timeout = TimeSpan.FromSeconds(limits.Seconds), TimeoutStatusCode = StatusCodes.Status504GatewayTimeout });
        builder.Services.AddRateLimiter(rates =>
        {
            rates.RejectionStatusCode = StatusCodes.Status503ServiceUnavailable;
            rates.OnRejected = (refused, _) =>
            {
                refused.HttpContext.Response.Headers.RetryAfter = "1";
                return ValueTask.CompletedTask;
            };
            rates.AddConcurrencyLimiter(Computes, one => (one.PermitLimit, one.QueueLimit) = (limits.Concurrency, limits.Queue));
        });

        var app = builder.Build();
        app.Services.GetRequiredService<MetricsText>();   // listens from the start
        // what the server refuses, as a body that is too large, is no fault of the service
        app.UseExceptionHandler(new ExceptionHandlerOptions
        {
            StatusCodeSelector = e => e is BadHttpRequestException bad ? bad.StatusCode : StatusCodes.Status500InternalServerError,
            SuppressDiagnosticsCallback = context => context.Exception is BadHttpRequestException,
        });
        app.UseStatusCodePages();
        app.UseRequestTimeouts();
        // before the limiter: a client that sends slowly takes no place from others
        app.Use(async (http, next) =>
        {
            if (HttpMethods.IsPost(http.Request.Method)) await TakeBodyAsync(http);
            await next(http);
        });
        app.UseRateLimiter();

        app.MapPost("/score", ScoreEndpoint.JsonAsync).Accepts<double[][]>("application/json").RequireRateLimiting(Computes);
        app.MapPost("/score/binary", ScoreEndpoint.BinaryAsync).RequireRateLimiting(Computes);
        app.MapGet("/sample", SampleEndpoint.StreamAsync).RequireRateLimiting(Computes);
        app.MapGet("/model", (FlowModel flow) => new
        {
            Model = flow.GetName(),
            Shape = flow.InputShape.ToArray(),
            Columns = flow.Info.Columns,
            TrainedOn = flow.Info.TrainingRows,
            HeldOutLogProb = flow.Info.HeldOutLogProb,
        });
        app.MapGet("/metrics", (MetricsText metrics) => Results.Text(metrics.ToString(), "text/plain; version=0.0.4"));
        // alive: the process answers; ready: the flow computes
        app.MapHealthChecks("/health/live", new HealthCheckOptions { Predicate = _ => false });
        app.MapHealthChecks("/health/ready");
        return app;
    }

    // the whole body into memory, and no more than the limit of the server
    private static async Task TakeBodyAsync(HttpContext http)
    {
        var body = new MemoryStream((int)Math.Min(http.Request.ContentLength ?? 4096, 1 << 16));
        await http.Request.Body.CopyToAsync(body, http.RequestAborted);
        body.Position = 0;
        http.Request.Body = body;
    }
}
