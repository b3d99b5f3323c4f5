using System.Globalization;
using RealNvp.Plotting;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Plotting;

/// <summary>What a user types for the numbers of a picture: that this file compiles is a part of the proof.</summary>
public class PlotDataTests
{
    private static PlotData Of(PlotData data) => data;

    [Fact]
    public void Each_picture_takes_numbers_in_brackets()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Toy2D with { Hidden = 8, Layers = 2 }, seed: 1);
        using var given = new RealNvpModel(RealNvpOptions.Toy2D with { Hidden = 8, Layers = 2, ContextSize = 1 }, seed: 1);
        double[] scores = [1, 2, 3];
        var small = new DensityPanelsOptions { PanelWidth = 100, Resolution = 20 };
        Picture[] pictures =
        [
            new RocCurve([1.0, 2], [0, 1]),
            new RocCurve([1.0, 2], [false, true], "score"),
            new RocCurve([.. scores.Select(s => -s)], [.. scores.Select(s => s > 2)]),
            new RocCurve([("flow", [1.0, 2]), ("forest", scores[..2])], [0, 1]),
            new RocCurve(flow, [[1, 2], [0.5, 1]], [true, false]),
            new RocCurve(given, [[1, 2], [0.5, 1]], [true, false], [[1], [2]]),
            new ScoreHistogram([1.0, 2, 3], [4, 5]),
            new ScoreHistogram(flow, [[1, 2], [3, 4]], [[5, 6]]),
            new CornerPlot([[1, 2], [3, 4], [2, 2.5]]),
            new CornerPlot([[1, 2], [3, 4], [2, 2.5]], [[1, 2], [3, 4]]),
            new CornerPlot(flow, [[1, 2], [3, 4], [2, 2.5]]),
            new CornerPlot(given, [[1, 2], [3, 4], [2, 2.5]], [[1], [2], [3]]),
            new CalibrationPlot([0.1, 0.5, 0.9]),
            new CalibrationPlot([[0.1, 0.5], [0.2, 0.9]], new() { Names = ["a", "b"] }),
            new CalibrationPlot(flow, [[1, 2], [3, 4]]),
            CalibrationPlot.FromRanks([0, 5, 9], draws: 9),
            new LayerPlot(flow, [[1, 2], [3, 4]]),
            new WarpedGrid(flow, [[1, 2], [3, 4]]),
            new DensityPanels([[1, 2], [3, 4]], flow.LogProb, options: small),
            new DensityPanels([[1, 2], [3, 4]], x => flow.LogProb(x), [[1, 2]], [[[0, 1], [1, 1]], [[1, 0], [1, 1]]], small),
            new DensityPanels([[1, 2], [3, 4]], [[-1, -2], [-3, -4]], options: small),
            new DensityPanels(flow, [[1, 2], [3, 4]], options: small),
            new DensityPanels(given, [[1, 2], [3, 4]], [[1.0]], options: small),
            new TrainingCurve([3.0, 2, 1], [3.5, 2.5, 2]),
            new TrainingCurve([(1, 3.0), (2, 2.0)]),
            ImageGrid.FromRows([[0, 0.5, 0.5, 1]], [1, 2, 2], new() { Range = (0, 1) }),
        ];
        var shown = pictures.Select(p => p.GetType()).ToHashSet();
        typeof(Picture).Assembly.GetExportedTypes().Where(t => t.IsSubclassOf(typeof(Picture)))
            .Where(t => t.GetConstructors().Cast<System.Reflection.MethodBase>().Concat(t.GetMethods())
                .Any(m => m.GetParameters().Any(p => p.ParameterType == typeof(PlotData))))
            .Should().BeSubsetOf(shown, "each picture of numbers is tried above");
        pictures.Should().AllSatisfy(p => p.ToPng().Length.Should().BeGreaterThan(100));
    }

    [Fact]
    public void Brackets_give_the_picture_of_the_array()
    {
        double[] scores = [0.2, 0.9, 0.4];
        bool[] labels = [false, true, false];
        new RocCurve([0.2, 0.9, 0.4], [0, 1, 0]).ToPng().Should().Equal(new RocCurve(scores, labels).ToPng());
        double[][] rows = [[1, 2], [3, 4], [2, 2.5]];
        new CornerPlot([[1, 2], [3, 4], [2, 2.5]]).ToPng().Should().Equal(new CornerPlot(rows).ToPng());
        new CornerPlot([rows[0], [3f, 4f], [2, 2.5]]).ToPng().Should().Equal(new CornerPlot(rows).ToPng(), "rows of all kinds mix");
    }

    [Fact]
    public void Brackets_may_hold_numbers_labels_rows_and_what_is_spread()
    {
        using var scope = NewDisposeScope();
        var row = tensor(new[] { 3f, 4 });
        float[] single = [5, 6];
        IEnumerable<double> many = [7, 8];
        Shown([1, 2.5, 3f, 4L, (byte)5]).Should().Be("(5): 1 2.5 3 4 5");
        Shown([true, false]).Should().Be("(2): 1 0");
        Shown([.. many, 9]).Should().Be("(3): 7 8 9");
        Shown([[1, 2], row, single, [.. many]]).Should().Be("(4, 2): 1 2 3 4 5 6 7 8");
        Shown([[[1, 2], [3, 4]], [[5, 6], [7, 8]]]).Should().Be("(2, 2, 2): 1 2 3 4 5 6 7 8");
        Shown([]).Should().Be("(0): ");
        Shown([double.NaN, double.PositiveInfinity]).Should().Be("(2): NaN Infinity");
        Of([1, 2]).IsWhole.Should().BeTrue("contexts may be numbers of classes");
        Of([[1], [2]]).IsWhole.Should().BeFalse("rows are contexts of numbers");
        Of([1, 2.0]).IsWhole.Should().BeFalse();

        static string Shown(PlotData data)
        {
            var numbers = data.Numbers.ToArray().Select(n => n.ToString(CultureInfo.InvariantCulture));
            return $"({string.Join(", ", data.Shape)}): {string.Join(" ", numbers)}";
        }
    }

    [Fact]
    public void Entries_of_two_shapes_and_null_are_refused()
    {
        FluentActions.Invoking(() => new CornerPlot([[1, 2], [3, 4, 5]])).Should().Throw<ArgumentException>()
            .WithMessage("Entry 1 is a row of 3, the first one is a row of 2; expected entries of one shape.*");
        FluentActions.Invoking(() => new CornerPlot([[1, 2], 3])).Should().Throw<ArgumentException>()
            .WithMessage("Entry 1 is a number, the first one is a row of 2*");
        FluentActions.Invoking(() => new CornerPlot([[1, 2], (double[])null!])).Should().Throw<ArgumentNullException>()
            .WithMessage("An entry is null; expected a number or a row of numbers.*");
        FluentActions.Invoking(() => new RocCurve([], [0, 1])).Should().Throw<ArgumentException>().WithMessage("scores holds 0 scores*");
        FluentActions.Invoking(() => new CornerPlot([])).Should().Throw<ArgumentException>().WithMessage("data has shape (0,)*");
    }

    [Fact]
    public void Numbers_are_read_back_entry_by_entry()
    {
        PlotData data = new double[,] { { 1, 2 }, { 3, 4 } }, again = [.. data];
        again.Numbers.ToArray().Should().Equal(1, 2, 3, 4);
        again.Shape.Should().Equal(2, 2);
        var rows = new List<PlotEntry>();
        foreach (var entry in data) rows.Add(entry);
        rows.Should().Equal([1.0, 2], [3.0, 4]);
        (rows[0] == rows[1]).Should().BeFalse();
        PlotEntry alone = 1.0, whole = 1;
        (alone == whole && alone.GetHashCode() == whole.GetHashCode() && alone != rows[0]).Should().BeTrue();
        foreach (var number in rows[1]) (number == 3.0 || number == 4.0).Should().BeTrue();
        foreach (var itself in alone) itself.Should().Be(alone);
    }

    [Fact]
    public void A_hundred_thousand_numbers_in_brackets_take_no_time()
    {
        var numbers = Enumerable.Range(0, 100_000).Select(i => i / 7.0).ToArray();
        PlotData spread = [.. numbers];
        spread.Numbers.SequenceEqual(numbers).Should().BeTrue();
    }
}
