using System.Globalization;
using Microsoft.Extensions.Logging;

namespace RealNvp.Extensions;

/// <summary>The end of the flows of a container, which disposes this after them: waits for calls that still run. The weights stay until
/// these have ended, but a process that ends in the midst of native code may crash.</summary>
/// <param name="logger">Is told if a call takes too long.</param>
internal sealed partial class FlowEnds(ILogger logger) : IDisposable
{
    private readonly List<(Flow Flow, string Path, TimeSpan Timeout)> flows = [];

    public void Add(Flow flow, string path, TimeSpan timeout)
    {
        lock (flows) flows.Add((flow, path, timeout));
    }

    public void Dispose()
    {
        lock (flows)
        {
            // nobody begins a call any more, in whatever order the container disposes
            foreach (var (flow, _, _) in flows) flow.Dispose();
            foreach (var (flow, path, timeout) in flows)
                if (!flow.WaitForCalls(timeout))
                {
                    var seconds = timeout.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture);
                    StillRuns(logger, path, seconds);
                }
            flows.Clear();
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message =
        "A call of the flow of {Path} still runs {Seconds} s after the end of the container. It has its weights until it is done, but a " +
            "process that ends before may crash.")]
    private static partial void StillRuns(ILogger logger, string path, string seconds);
}
