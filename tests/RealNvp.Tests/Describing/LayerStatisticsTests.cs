using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Describing;

[LeavesNoTensors]
public class LayerStatisticsTests
{
    [Fact]
    public void Statistics_of_each_layer_are_those_of_its_values_and_log_determinants()
    {
        using var scope = NewDisposeScope();
        using var scale = new DiagonalScaling([2]);
        using var normal = Permutation.Reversal([2]);
        // more than one batch
        var x = randn([2500, 2], generator: new Generator(1));
        using var flow = new Flow([2], new Chain(scale, normal), new StandardNormal([2]));
        using (no_grad())
        {
            foreach (var parameter in flow.parameters()) parameter.fill_(0.7);
        }
        flow.eval();
        var found = flow.MeasureLayers(x);
        found.Select(l => l.Path).Should().Equal(flow.Summary(x).Layers.Select(l => l.Path), "the rows of the summary");
        found[0].IsComposite.Should().BeTrue();
        Tensor value = x;
        foreach (var (layer, statistics) in new Bijection[] { scale, normal }.Zip(found.Skip(1)))
        {
            (value, var logDet) = layer.Forward(value);
            Same(statistics.Output!, value);
            Same(statistics.LogDet!, logDet);
        }
        Same(found[0].Output!, value);
    }

    [Fact]
    public void Numbers_that_are_not_finite_are_counted_and_the_others_described()
    {
        using var scope = NewDisposeScope();
        var tally = new RealNvp.Describing.NumberTally();
        tally.Summary().Should().BeNull();
        tally.Add(tensor(new[] { 1f, float.NaN, 3f }));
        tally.Add(tensor(new[] { float.PositiveInfinity }));
        tally.Add(tensor(new[] { 8.0 }));
        tally.Summary().Should().Be(new NumberSummary
        {
            Count = 3, NotFinite = 2, Mean = 4, StandardDeviation = Math.Sqrt(26.0 / 3), Smallest = 1, Largest = 8,
        });
        var none = new RealNvp.Describing.NumberTally();
        none.Add(tensor(new[] { float.NaN }));
        none.Summary().Should().Be(new NumberSummary
        {
            Count = 0, NotFinite = 1, Mean = double.NaN, StandardDeviation = double.NaN, Smallest = double.NaN, Largest = double.NaN,
        });
    }

    [Fact]
    public void A_weight_that_is_not_finite_and_rows_that_do_not_fit_are_refused()
    {
        using var scope = NewDisposeScope();
        using var flow = new RealNvpModel(RealNvpOptions.Toy2D with { Hidden = 4, Layers = 2 }, seed: 1);
        var wide = zeros(3, 5);
        FluentActions.Invoking(() => flow.MeasureLayers(wide)).Should().Throw<ArgumentException>().WithMessage("*MeasureLayers*");
        using (no_grad()) flow.parameters().Last().fill_(float.NaN);
        var rows = zeros(3, 2);
        flow.MeasureLayers(rows).Should().Contain(l => l.Output!.NotFinite > 0 || l.LogDet!.NotFinite > 0, "a fault is what is looked for");
    }

    private static void Same(NumberSummary summary, Tensor values)
    {
        var numbers = values.to(float64).data<double>().ToArray();
        var mean = numbers.Average();
        summary.Count.Should().Be(numbers.Length);
        summary.NotFinite.Should().Be(0);
        summary.Mean.Should().BeApproximately(mean, 1e-9);
        summary.StandardDeviation.Should().BeApproximately(Math.Sqrt(numbers.Average(v => (v - mean) * (v - mean))), 1e-9);
        (summary.Smallest, summary.Largest).Should().Be((numbers.Min(), numbers.Max()));
    }
}
