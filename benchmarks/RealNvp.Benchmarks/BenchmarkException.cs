namespace RealNvp.Benchmarks;

/// <summary>A benchmark that cannot go on; the message is for its user.</summary>
internal sealed class BenchmarkException(string message) : Exception(message);
