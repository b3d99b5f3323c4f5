using TorchSharp;

namespace RealNvp.Tests.Infrastructure;

internal static class LiveTensors
{
    /// <summary>How many more tensors of this thread live after an action
    /// than before it. A first, uncounted call warms up caches.</summary>
    public static long ChangeOver(Action action)
    {
        action();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        action();
        return DisposeScopeManager.Statistics.ThreadTotalLiveCount - before;
    }
}
