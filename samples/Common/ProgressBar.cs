using System.Globalization;

namespace RealNvp.Samples.Common;

/// <summary>Shows on the console how far a long piece of work has come.</summary>
/// <remarks>
/// On a terminal it is one line, drawn again at most 10 times a second. Where the output goes to a file or a pipe, it is a plain
/// line every 5 %. It writes to the error stream, as progress is no result: <c>sample &gt; results.txt</c> still shows it.
/// Use it from one thread; dispose it to end the line.
/// </remarks>
public sealed class ProgressBar : IDisposable
{
    private const int BarWidth = 24, LogSteps = 20;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly string label, unit;
    private readonly long total;
    private readonly TextWriter output;
    private readonly bool isTerminal;
    private readonly TimeProvider clock;
    private readonly long start, before;
    private long done, lastDrawn, lastLogged = -1;
    private bool drawn, disposed;
    private int width;
    private string text = "";

    /// <summary>Starts a bar at 0 and the clock with it. Nothing is written before the first report.</summary>
    /// <param name="label">What is being done, such as "training".</param>
    /// <param name="total">How many units there are in all, at least 1.</param>
    /// <param name="unit">What is counted, for the rate. Default "examples".</param>
    /// <param name="output">Where to write; null is the console's error stream. It is not disposed.</param>
    /// <param name="isTerminal">True to redraw one line, false for plain lines; null finds out.</param>
    /// <param name="clock">The clock; null is the computer's.</param>
    /// <param name="before">Units that were done before the bar starts, by a run that is resumed or before its size was known, 0 to
    /// the total: the rate and the time that is left do not count them.</param>
    /// <exception cref="ArgumentException"><paramref name="total"/> is below 1, or <paramref name="before"/> is not 0 to it.</exception>
    public ProgressBar(string label, long total, string unit = "examples", TextWriter? output = null, bool? isTerminal = null,
        TimeProvider? clock = null, long before = 0)
    {
        if (total < 1) throw new ArgumentException($"total is {total}; expected at least 1.", nameof(total));
        if (before < 0 || before > total) throw new ArgumentException($"before is {before}; expected 0 to {total}.", nameof(before));
        this.before = before;
        (this.label, this.total, this.unit) = (label, total, unit);
        this.isTerminal = isTerminal ?? (output is null && !Console.IsErrorRedirected);
        this.output = output ?? Console.Error;
        this.clock = clock ?? TimeProvider.System;
        start = this.clock.GetTimestamp();
    }

    /// <summary>Says how many units are done, and draws the bar if it is time to.</summary>
    /// <param name="done">The units done so far, 0 to the total; more than the total counts as the total.</param>
    /// <param name="text">What else to show, such as "loss 3.21"; null keeps the last one.</param>
    /// <exception cref="ArgumentException"><paramref name="done"/> is negative.</exception>
    /// <exception cref="ObjectDisposedException">The bar was disposed.</exception>
    public void Report(long done, string? text = null)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        if (done < 0) throw new ArgumentException($"done is {done}; expected 0 to {total}.", nameof(done));
        this.done = Math.Min(done, total);
        this.text = text ?? this.text;
        if (isTerminal && (!drawn || this.done == total || clock.GetElapsedTime(lastDrawn) >= Pause)) Redraw();
        if (!isTerminal && LogStep > lastLogged) WriteLine();
    }

    /// <summary>Draws the last state, and ends the line. Work that stopped early shows how far it came.</summary>
    public void Dispose()
    {
        if (disposed) return;
        disposed = true;
        if (isTerminal && drawn)
        {
            Redraw();
            output.WriteLine();
        }
        else if (!isTerminal && lastLogged >= 0 && done * LogSteps % total != 0) WriteLine();
    }

    private long LogStep => (long)((Int128)done * LogSteps / total);

    private void Redraw()
    {
        var (state, room) = (State(), Room());
        // on a narrow terminal the bar gives way to the numbers
        var length = Math.Clamp(room - label.Length - state.Length - 4, 0, BarWidth);
        var filled = (int)((Int128)done * length / total);
        var line = $"{label} [{new string('#', filled)}{new string('.', length - filled)}] {state}";
        if (line.Length > room) line = line[..room];
        output.Write('\r' + line.PadRight(width));
        output.Flush();
        (width, lastDrawn, drawn) = (line.Length, clock.GetTimestamp(), true);
    }

    private void WriteLine()
    {
        output.WriteLine($"{label} {State()}");
        lastLogged = LogStep;
    }

    private string State()
    {
        var seconds = clock.GetElapsedTime(start).TotalSeconds;
        var rate = seconds > 0 && done > before ? (done - before) / seconds : 0;
        var percent = (int)((Int128)done * 100 / total);
        var state = $"{percent,3} % {done}/{total}";
        if (rate > 0) state += $"  {Short(rate)} {unit}/s";
        state += done < total && rate > 0 ? $"  {Time((total - done) / rate)} left" : $"  {Time(seconds)}";
        return text.Length == 0 ? state : $"{state}  {text}";
    }

    private int Room()
    {
        if (output != Console.Error) return int.MaxValue;
        try
        {
            // the last column stays free: a full line would wrap
            return Console.WindowWidth > 1 ? Console.WindowWidth - 1 : int.MaxValue;
        }
        catch (IOException)
        {
            return int.MaxValue;
        }
    }

    private static string Short(double rate) => rate.ToString(rate < 10 ? "0.##" : "#,0", CultureInfo.InvariantCulture);

    private static string Time(double seconds) => seconds < 360_000
        ? TimeSpan.FromSeconds(Math.Ceiling(seconds)) is var t && t.TotalHours >= 1 ? $"{(int)t.TotalHours}:{t.Minutes:00}:{t.Seconds:00}"
            : $"{t.Minutes}:{t.Seconds:00}"
        : "days";
}
