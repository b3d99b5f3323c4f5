namespace RealNvp.Samples.Common;

/// <summary>Hands each report to an action at once, on the thread that
/// reports. <see cref="Progress{T}"/> would use other threads.</summary>
/// <typeparam name="T">What is reported.</typeparam>
/// <param name="action">Hears each report.</param>
public sealed class Report<T>(Action<T> action) : IProgress<T>
{
    void IProgress<T>.Report(T value) => action(value);
}
