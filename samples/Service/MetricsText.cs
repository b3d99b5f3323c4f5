using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace RealNvp.Samples.Service;

/// <summary>The metrics of the library and of the server as text that Prometheus reads: sums and counts, without a dependency.</summary>
/// <remarks>A service with OpenTelemetry needs none of this: <c>AddMeter(FlowMetrics.MeterName)</c>.</remarks>
internal sealed class MetricsText : IDisposable
{
    private static readonly string[] meters = [FlowMetrics.MeterName, "Microsoft.AspNetCore.RateLimiting", "Microsoft.AspNetCore.Hosting"];
    private readonly ConcurrentDictionary<(string Name, string Tags), Series> all = new();
    private readonly MeterListener listener = new();

    public MetricsText()
    {
        listener.InstrumentPublished = (instrument, me) =>
        {
            if (meters.Contains(instrument.Meter.Name)) me.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
        listener.Start();
    }

    /// <summary>All series so far, a line each.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        foreach (var ((name, tags), series) in all.OrderBy(s => s.Key.Name, StringComparer.Ordinal).ThenBy(s => s.Key.Tags,
            StringComparer.Ordinal))
        {
            var (sum, count) = series.Read();
            if (!series.IsHistogram) text.Append(CultureInfo.InvariantCulture, $"{name}{tags} {sum}\n");
            else text.Append(CultureInfo.InvariantCulture, $"{name}_sum{tags} {sum}\n{name}_count{tags} {count}\n");
        }
        return text.ToString();
    }

    public void Dispose() => listener.Dispose();

    private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var labels = new StringBuilder();
        foreach (var (name, said) in tags)
            labels.Append(CultureInfo.InvariantCulture, $"{(labels.Length == 0 ? "{" : ",")}{Plain(name)}=\"{Escaped(said)}\"");
        if (labels.Length > 0) labels.Append('}');
        var unit = instrument.Unit == "s" ? "_seconds" : "";
        var isHistogram = instrument is Histogram<double> or Histogram<long>;
        var total = instrument is Counter<long> ? "_total" : "";
        all.GetOrAdd((Plain(instrument.Name) + unit + total, labels.ToString()), _ => new Series(isHistogram)).Add(value);
    }

    private static string Plain(string name) => name.Replace('.', '_');

    private static string Escaped(object? value) => (Convert.ToString(value, CultureInfo.InvariantCulture) ?? "")
        .Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n",
            StringComparison.Ordinal);

    private sealed class Series(bool isHistogram)
    {
        private readonly Lock gate = new();
        private double sum;
        private long count;

        public bool IsHistogram => isHistogram;

        public void Add(double value)
        {
            lock (gate) (sum, count) = (sum + value, count + 1);
        }

        public (double Sum, long Count) Read()
        {
            lock (gate) return (sum, count);
        }
    }
}
