using System.Diagnostics.Metrics;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Scoring;

/// <summary>What the library counts and times.</summary>
[LeavesNoTensors]
public class MetricsTests
{
    [Fact]
    public void Every_call_counts_its_examples_and_its_time()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(2), seed: 0);
        using var heard = new Heard();
        var rows = new double[,] { { 0, 1 }, { 1, 0 }, { 2, 2 } };
        flow.LogProb(rows);
        flow.BitsPerDim(rows);
        var z = flow.Encode(rows);
        flow.Decode(z);
        flow.SampleArray(5, seed: 1);
        flow.Evaluate(rows);
        using (NewDisposeScope()) flow.LogProbWithErrors(zeros(4, 2));

        heard.Examples.Should().Equal(("log_prob", 3L), ("log_prob", 3), ("encode", 3), ("decode", 3), ("sample", 5), ("evaluate", 3),
            ("log_prob_with_errors", 4));
        heard.Of("realnvp.operation.duration").Should().HaveCount(7).And.OnlyContain(m => m.Value > 0 && m.Value < 60)
            .And.OnlyContain(m => Equals(m.Tags["realnvp.model.name"], "RealNvpModel") && !m.Tags.ContainsKey("error.type"));
        heard.Of("realnvp.operation.nonfinite").Should().BeEmpty();
    }

    [Fact]
    public void Rows_without_a_finite_result_are_counted_by_cause()
    {
        using var box = new Flow([1], new LogitTransform(inputShape: [1]));
        using var heard = new Heard();
        box.LogProb(new double[,] { { 0.5 }, { 2 }, { 3 } });
        heard.Causes.Should().Equal(("log_prob", "outside_support", 2.0));
        box.Evaluate(new double[,] { { 0.5 }, { 2 } });
        heard.Causes[1..].Should().Equal(("evaluate", "outside_support", 1.0));

        Assert.ThrowsAny<ArgumentException>(() => box.LogProb(new[,] { { double.NaN }, { 0.5 }, { double.PositiveInfinity } }));
        Assert.ThrowsAny<ArgumentException>(() => box.Encode(new[,] { { double.NaN } }));
        heard.Causes[2..].Should().Equal(("log_prob", "input", 2.0), ("encode", "input", 1.0));
        heard.Of("realnvp.operation.duration").Select(m => m.Tags.GetValueOrDefault("error.type") ?? "").Should()
            .Equal("", "", "System.ArgumentException", "System.ArgumentException");

        using var poor = new Flow([1], new AsNaN());
        Assert.Throws<NonFiniteException>(() => poor.LogProb(new double[,] { { 1 }, { 2 }, { -1 } }));
        heard.Causes[4..].Should().Equal(("log_prob", "result", 2.0));
    }

    [Fact]
    public void A_training_counts_examples_epochs_and_its_end()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(2), seed: 0);
        using var x = randn(60, 2);
        using var heard = new Heard();
        using (var trainer = new Trainer(flow, new TrainingOptions { Epochs = 2, BatchSize = 20, ValidationFraction = 0 }))
            trainer.Fit(TrainingData.From(x));
        heard.Of("realnvp.training.examples").Sum(m => m.Value).Should().Be(120);
        heard.Of("realnvp.training.epoch.duration").Should().HaveCount(2).And.OnlyContain(m => m.Value > 0);
        heard.Of("realnvp.training.duration").Single().Tags["realnvp.training.stop_reason"].Should().Be("finished");
        heard.Of("realnvp.training.nonfinite").Should().BeEmpty();

        using (var trainer = new Trainer(flow, new TrainingOptions { Epochs = 1, ValidationFraction = 0 }) { AfterBackward = Poison })
            Assert.Throws<NonFiniteException>(() => trainer.Fit(TrainingData.From(x)));
        heard.Of("realnvp.training.nonfinite").Sum(m => m.Value).Should().Be(1);
        heard.Of("realnvp.training.duration")[^1].Tags["error.type"].Should().Be("RealNvp.NonFiniteException");
    }

    private static void Poison(GradientStep step)
    {
        using var scope = NewDisposeScope();
        step.Parameters[0].Parameter.grad!.fill_(double.NaN);
    }

    /// <summary>Without a listener there is no clock, no tag and no memory.</summary>
    [Fact]
    public void If_nobody_listens_it_costs_nothing()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(2), seed: 0);
        using var x = zeros(3, 2);
        var error = new ArgumentException("x");
        Cost();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++) Cost();
        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
        FlowMetrics.Begin().Should().Be(0, "the clock is not read");
        FlowMetrics.BeginTraining().Should().Be(0);
        using (new Heard()) FlowMetrics.Begin().Should().BeGreaterThan(0);
        FlowMetrics.Begin().Should().Be(0, "who stops to listen is forgotten");

        void Cost()
        {
            var begun = FlowMetrics.Begin();
            FlowMetrics.End(begun, "log_prob", flow, 3, FlowMetrics.OutsideSupport(x));
            FlowMetrics.Failed(begun, "log_prob", flow, error, x);
            FlowMetrics.Trained(flow, 3);
            FlowMetrics.Epoch(flow, 1);
            FlowMetrics.EndTraining(FlowMetrics.BeginTraining(), flow, "finished");
        }
    }

    [Fact]
    public void Names_units_and_the_meter_are_those_of_the_table_in_the_documents()
    {
        using var heard = new Heard();
        var page = File.ReadAllText(Repository.At("docs", "in-production.md"));
        heard.Instruments.Should().HaveCount(7);
        foreach (var instrument in heard.Instruments)
            page.Should().Contain(
                $"| `{instrument.Name}` | {(instrument is Counter<long> ? "counter" : "histogram")} | {instrument.Unit} |");
        FlowMetrics.MeterName.Should().Be("RealNvp");
        heard.Instruments.Should().OnlyContain(i => i.Meter.Version != null && i.Description != null);
    }

    private sealed record Measurement(string Name, double Value, Dictionary<string, object?> Tags);

    private sealed class Heard : IDisposable
    {
        private readonly MeterListener listener = new();
        private readonly List<Measurement> all = [];

        public Heard()
        {
            listener.InstrumentPublished = (instrument, me) =>
            {
                if (instrument.Meter.Name != "RealNvp") return;
                Instruments.Add(instrument);
                me.EnableMeasurementEvents(instrument);
            };
            listener.SetMeasurementEventCallback<long>((i, value, tags, _) => Add(i, value, tags));
            listener.SetMeasurementEventCallback<double>((i, value, tags, _) => Add(i, value, tags));
            // makes the instruments, if no test before has
            FlowMetrics.Begin();
            listener.Start();
        }

        public List<Instrument> Instruments { get; } = [];

        public (string, long)[] Examples =>
            [.. Of("realnvp.operation.examples").Select(m => ((string)m.Tags["realnvp.operation.name"]!, (long)m.Value))];

        public (string, string, double)[] Causes => [.. Of("realnvp.operation.nonfinite")
            .Select(m => ((string)m.Tags["realnvp.operation.name"]!, (string)m.Tags["realnvp.nonfinite.cause"]!, m.Value))];

        public Measurement[] Of(string name) => [.. all.Where(m => m.Name == name)];

        public void Dispose() => listener.Dispose();

        private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
            all.Add(new(instrument.Name, value, new(tags.ToArray())));
    }

    // NaN for what is positive
    private sealed class AsNaN() : Bijection(nameof(AsNaN))
    {
        protected override (Tensor Value, Tensor LogDet) ForwardCore(Tensor x, Pass pass) =>
            (where(x.gt(0), full_like(x, double.NaN), x), zeros(x.shape[0]));

        protected override (Tensor Value, Tensor LogDet) InverseCore(Tensor z, Pass pass) => (z.alias(), zeros(z.shape[0]));
    }
}
