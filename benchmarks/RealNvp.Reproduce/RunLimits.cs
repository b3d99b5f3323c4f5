namespace RealNvp.Reproduce;

/// <summary>Where one call runs and stops; the next goes on.</summary>
/// <param name="Minutes">The most minutes of the processor.</param>
/// <param name="Steps">The most steps.</param>
/// <param name="Stop">Stops after the current step.</param>
internal sealed record RunLimits(double Minutes = double.MaxValue, long Steps = long.MaxValue, CancellationToken Stop = default)
{
    /// <summary>The device to train on, such as "cuda".</summary>
    public string Device { get; init; } = "cpu";
}
