using RealNvp.Samples.Common;

namespace RealNvp.Tests.Samples;

public class ProgressBarTests
{
    private sealed class Clock : TimeProvider
    {
        public long Milliseconds { get; set; }
        public override long TimestampFrequency => 1000;
        public override long GetTimestamp() => Milliseconds;
    }

    [Fact]
    public void A_terminal_gets_one_line_at_most_ten_times_a_second()
    {
        var (writer, clock) = (new StringWriter(), new Clock());
        using (var bar = new ProgressBar("training", 1000, output: writer, isTerminal: true, clock: clock))
            for (var i = 1; i <= 1000; i++)
            {
                clock.Milliseconds += 2;
                bar.Report(i, $"loss {1000 - i}");
            }
        var draws = writer.ToString().Split('\r')[1..];
        draws.Length.Should().BeInRange(15, 23, "2 seconds at 10 a second, and the ends");
        draws[^1].Should().StartWith("training [########################] 100 % 1000/1000  500 examples/s  0:02  loss 0").And.EndWith(
            Environment.NewLine);
        draws[..^1].Should().OnlyContain(d => !d.Contains('\n'));
        draws.Zip(draws.Skip(1)).Should().OnlyContain(p => p.Second.Length >= p.First.TrimEnd().Length,
            "a shorter line covers the longer one before it");
    }

    [Fact]
    public void A_log_file_gets_a_plain_line_every_five_percent()
    {
        var (writer, clock) = (new StringWriter(), new Clock());
        using (var bar = new ProgressBar("training", 1000, "images", writer, clock: clock))
            for (var i = 0; i <= 1000; i++)
            {
                clock.Milliseconds += 10;
                bar.Report(i);
            }
        var lines = writer.ToString().Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);
        lines.Should().HaveCount(21);
        lines[10].Should().Be("training  50 % 500/1000  100 images/s  0:06 left");
        writer.ToString().Should().NotContain("\r" + "t").And.NotContain("#");
    }

    [Fact]
    public void What_was_done_before_counts_neither_in_the_rate_nor_in_the_time_that_is_left()
    {
        var (writer, clock) = (new StringWriter(), new Clock());
        using var bar = new ProgressBar("training", 100, output: writer, clock: clock, before: 50);
        clock.Milliseconds = 1;
        bar.Report(50);
        clock.Milliseconds = 1000;
        bar.Report(60);
        var lines = writer.ToString().Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);
        lines.Should().Equal("training  50 % 50/100  0:01", "training  60 % 60/100  10 examples/s  0:04 left");
        FluentActions.Invoking(() => new ProgressBar("training", 100, before: 101)).Should().Throw<ArgumentException>()
            .WithMessage("*101*0 to 100*");
    }

    [Fact]
    public void Work_that_stops_early_shows_how_far_it_came()
    {
        var (writer, clock) = (new StringWriter(), new Clock { Milliseconds = 0 });
        using (var bar = new ProgressBar("training", 100, output: writer, clock: clock))
        {
            clock.Milliseconds = 1000;
            bar.Report(1);
            bar.Report(3);
        }
        writer.ToString().Should().Contain("1/100").And.Contain("3/100");
    }

    [Fact]
    public void Wrong_numbers_are_refused()
    {
        FluentActions.Invoking(() => new ProgressBar("x", 0)).Should().Throw<ArgumentException>().WithMessage("total is 0*");
        var bar = new ProgressBar("x", 10, output: new StringWriter());
        FluentActions.Invoking(() => bar.Report(-1)).Should().Throw<ArgumentException>().WithMessage("done is -1*");
        bar.Dispose();
        FluentActions.Invoking(() => bar.Report(1)).Should().Throw<ObjectDisposedException>();
    }
}
