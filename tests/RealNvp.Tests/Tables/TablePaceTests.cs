using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Tables;

/// <summary>What goes through many rows can be cancelled, and tells how far it is.</summary>
[LeavesNoTensors]
public class TablePaceTests
{
    private static readonly Table whole = MixedTables.Line(5_000), holes = MixedTables.WithHoles(MixedTables.Line(300), 0.4);

    private static readonly Dictionary<string, (int Rows, Action<TableFlow, IProgress<long>?, CancellationToken> Call)> cases = new()
    {
        ["samples"] = (10_000, (flow, progress, token) => flow.Sample(10_000, 1, progress, token)),
        ["log p"] = (5_000, (flow, progress, token) => flow.LogProb(whole, progress: progress, cancellationToken: token)),
        ["log p of known cells"] = (300, (flow, progress, token) => flow.LogProb(holes, 16, progress: progress, cancellationToken: token)),
        ["log p by column"] = (5_000, (flow, progress, token) => flow.LogProbByColumn(whole, progress, token)),
        ["imputation"] = (300, (flow, progress, token) => flow.Impute(holes, 16, progress: progress, cancellationToken: token)),
        ["probabilities"] = (300, (flow, progress, token) => flow.Probabilities(holes, "free", 16, progress: progress,
            cancellationToken: token)),
    };

    public static TheoryData<string> Cases => [.. cases.Keys];

    [Theory, MemberData(nameof(Cases))]
    public void It_ends_between_two_groups_of_rows_and_counts_them_all(string name)
    {
        using var flow = TableFlow.Fit(MixedTables.Line(60), null, new() { Training = new() { Epochs = 1 }, Hidden = 8 });
        var (rows, call) = cases[name];
        var heard = new List<long>();
        call(flow, new Now(heard.Add), default);
        heard.Should().BeInAscendingOrder().And.HaveCountGreaterThan(1);
        heard[^1].Should().Be(rows);

        using var stop = new CancellationTokenSource();
        var calls = 0;
        FluentActions.Invoking(() => call(flow, new Now(_ => { calls++; stop.Cancel(); }), stop.Token)).Should()
            .Throw<OperationCanceledException>();
        calls.Should().Be(1);
        FluentActions.Invoking(() => call(flow, null, stop.Token)).Should().Throw<OperationCanceledException>();
    }

    private sealed class Now(Action<long> heard) : IProgress<long>
    {
        public void Report(long value) => heard(value);
    }
}
