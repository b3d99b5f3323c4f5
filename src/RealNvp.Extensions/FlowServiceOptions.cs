using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Extensions;

/// <summary>How a flow is loaded for a service.</summary>
public sealed class FlowServiceOptions
{
    /// <summary>Where the flow computes; null, the default, for the CPU.</summary>
    public Device? Device { get; set; }

    /// <summary>What the flow computes in: float32, float64, or null, the default, for the dtype of the file.</summary>
    public ScalarType? Dtype { get; set; }

    /// <summary>The number of threads that one call of torch's may use, 1 or more; null, the default, leaves torch alone.</summary>
    /// <remarks>It is a setting of the whole process. 1 suits a service of many small requests: each computes on the thread that asks,
    /// and threads of torch's would fight with the others for the same cores.</remarks>
    public int? Threads { get; set; }

    /// <summary>True, the default: the flow is loaded before the host starts to serve, and what is wrong with the file ends the start.
    /// False: it is loaded when it is first asked for.</summary>
    /// <remarks>It needs a host, such as that of ASP.NET Core. A container without one loads when it is asked.</remarks>
    public bool LoadAtStart { get; set; } = true;

    /// <summary>How long the container waits at its end for calls of the flow that still run; 30 seconds by itself, and
    /// <see cref="Timeout.InfiniteTimeSpan"/> for as long as they take.</summary>
    /// <remarks>Calls that run have their weights until they are done, however long that is. But a process that ends in the midst of them
    /// may crash, so the container holds it up. If the time is over, the log says so.</remarks>
    public TimeSpan StopTimeout { get; set; } = TimeSpan.FromSeconds(30);

    internal void Check()
    {
        if (Dtype is { } dtype && dtype is not (ScalarType.Float32 or ScalarType.Float64))
            throw new ArgumentException(
                $"{nameof(FlowServiceOptions)}.{nameof(Dtype)} is float32, float64, or null for that of the file; got {dtype}.");
        if (StopTimeout < TimeSpan.Zero && StopTimeout != Timeout.InfiniteTimeSpan)
            throw new ArgumentException(FormattableString.Invariant(
                $"{nameof(FlowServiceOptions)}.{nameof(StopTimeout)} is zero or more, or Timeout.InfiniteTimeSpan; got {StopTimeout}."));
        if (Threads is < 1)
            throw new ArgumentException(FormattableString.Invariant(
                $"{nameof(FlowServiceOptions)}.{nameof(Threads)} is at least 1, or null; got {Threads}."));
    }
}
