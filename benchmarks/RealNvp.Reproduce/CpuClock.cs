using System.Globalization;

namespace RealNvp.Reproduce;

/// <summary>The minutes of the processor that a training has had, over all its calls, beside its checkpoint: one line at the end of each
/// epoch and one for the last call. The processor's, as machines are shared.</summary>
internal sealed class CpuClock
{
    private readonly string path;
    private readonly SortedDictionary<int, double> epochs = [];
    private readonly TimeSpan start = Environment.CpuUsage.TotalTime;
    private readonly double before;

    /// <summary>Begins, or goes on where the call before stopped.</summary>
    public CpuClock(string path, bool resumes)
    {
        this.path = path;
        if (!resumes || !File.Exists(path)) return;
        foreach (var line in File.ReadLines(path).Select(l => l.Split(',')))
        {
            before = double.Parse(line[1], CultureInfo.InvariantCulture);
            epochs[int.Parse(line[0], CultureInfo.InvariantCulture)] = before;
        }
    }

    public double Minutes => before + (Environment.CpuUsage.TotalTime - start).TotalMinutes;

    /// <summary>The minutes at the end of an epoch; null if nobody looked.</summary>
    public double? At(int epoch) => epochs.TryGetValue(epoch, out var minutes) ? minutes : null;

    /// <summary>An epoch ended, or the call did in the middle of one.</summary>
    public void Mark(int epoch)
    {
        epochs[epoch] = Minutes;
        File.WriteAllLines(path, epochs.Select(e => string.Create(CultureInfo.InvariantCulture, $"{e.Key},{e.Value:F5}")));
    }
}
