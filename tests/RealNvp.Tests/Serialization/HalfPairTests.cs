using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Serialization;

/// <summary>Half of a surrogate pair is no text that UTF-8 has: it is refused before any work, and nothing is put in its place.</summary>
[LeavesNoTensors]
public sealed class HalfPairTests : IDisposable
{
    private const string Half = "a\udc00b";

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private static readonly double[,] rows = Rows();

    private static double[,] Rows()
    {
        var random = new Random(1);
        var all = new double[60, 2];
        for (var i = 0; i < 60; i++) (all[i, 0], all[i, 1]) = (random.NextDouble(), random.NextDouble());
        return all;
    }

    private static readonly Dictionary<string, Action> cases = new()
    {
        ["a column of a flow"] = () => Info(i => i with { Columns = ["x", Half] }),
        ["a column of its context"] = () => Info(i => i with { ContextColumns = [Half] }),
        ["a note"] = () => Info(i => i with { Note = Half }),
        ["a column of a fit"] = () => FlowModel.Fit(rows, options: new FitOptions { Columns = [Half, "y"] }),
        ["a column of a detector"] = () => AnomalyDetector.Fit(rows, new AnomalyOptions { Columns = [Half, "y"] }),
        ["a column of a schema"] = () => TableSchema.Of(ColumnSchema.Number(Half)),
        ["a category of a schema"] = () => TableSchema.Of(ColumnSchema.Category("x", "y", Half)),
        ["a reason in a schema"] = () => TableSchema.Of(ColumnSchema.Number("x") with { Why = Half }),
        ["a category of the data"] = () => TableFlow.Fit(Table.FromColumns(("x", Texts(60)))),
        ["a parameter of a diagnostic"] = () =>
            Diagnostics.Sbc(new ConditionalDensity((_, n, _) => zeros(1, n, 1)), zeros(1, 1), zeros(1, 1),
            names: [Half]),
        ["any text of a record in a file"] = () => FileJson.Write(new FlowInfo { Columns = [Half] }),
    };

    public static TheoryData<string> Cases => [.. cases.Keys];

    [Theory, MemberData(nameof(Cases))]
    public void It_is_refused(string what)
    {
        using var scope = NewDisposeScope();
        FluentActions.Invoking(cases[what]).Should().Throw<ArgumentException>().WithMessage("*surrogate*");
    }

    [Fact]
    public void A_table_with_it_is_not_written_and_the_file_stays_as_it_is()
    {
        var path = folder.At("table.csv");
        File.WriteAllText(path, "before");
        FluentActions.Invoking(() => Table.FromColumns(("x", Texts(3))).WriteCsv(path)).Should().Throw<ArgumentException>()
            .WithMessage("*'x'*surrogate*");
        File.ReadAllText(path).Should().Be("before");
    }

    private static string[] Texts(int count) => [.. Enumerable.Range(0, count).Select(i => i % 2 == 0 ? Half : "b")];

    private static void Info(Func<FlowInfo, FlowInfo> change)
    {
        using var flow = new MafModel(MafOptions.Tabular(2) with { ContextSize = 1, Hidden = 4, Layers = 1 });
        flow.Info = change(flow.Info);
    }
}
