namespace RealNvp;

/// <summary>One setting of <see cref="CpuTuning"/>.</summary>
/// <param name="IsOn">Whether it holds now.</param>
/// <param name="Reason">Why it does not; empty if it does.</param>
public readonly record struct CpuSetting(bool IsOn, string Reason)
{
    internal static CpuSetting On { get; } = new(true, "");

    internal static CpuSetting NotAsked { get; } = new(false, "It was not asked for.");

    internal static CpuSetting Off(string reason) => new(false, reason);

    /// <summary>"on", or "off" and why.</summary>
    public override string ToString() => IsOn ? "on" : $"off: {Reason}";
}
