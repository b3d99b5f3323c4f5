using Microsoft.Extensions.Logging;

namespace RealNvp.PublicTests.Extensions;

/// <summary>A log that a test reads.</summary>
internal sealed class ListLogger(LogLevel least = LogLevel.Information) : ILogger, ILoggerFactory
{
    public List<string> Lines { get; } = [];

    public List<Dictionary<string, object?>> States { get; } = [];

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= least;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        Lines.Add($"{logLevel}: {formatter(state, exception)}");
        States.Add(state is IEnumerable<KeyValuePair<string, object?>> named ? new(named) : []);
    }

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("This log is the only one.");

    public void Dispose() { }
}
