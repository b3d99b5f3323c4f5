using Microsoft.Extensions.Hosting;

namespace RealNvp.Extensions;

/// <summary>Loads a flow before any other part of the host starts, so that a bad file ends the start and no request waits.</summary>
/// <param name="load">Asks the container for the flow.</param>
internal sealed class FlowStart(Func<object> load) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        load();
        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
