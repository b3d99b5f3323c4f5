using RealNvp.Benchmarks;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Scorers;

public sealed class RowSpeedTests
{
    [SlowFact]
    public void The_benchmark_of_rows_writes_a_line_of_times_for_each_model()
    {
        using var output = new StringWriter();
        RowSpeed.Run(output, TimeSpan.FromMilliseconds(2));
        var lines = output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        lines.Should().HaveCount(8).And.OnlyContain(line => line.Split('|', StringSplitOptions.None).Length == 16);
    }
}
