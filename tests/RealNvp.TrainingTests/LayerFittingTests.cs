using RealNvp.Layers;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

/// <summary>Layers that take numbers from data get them once, before the first step of the first training, wherever they stand.</summary>
public partial class LayerFittingTests
{
    private static readonly TrainingOptions brief = new() { Epochs = 1, BatchSize = 64, LearningRate = 1e-12, ValidationFraction = 0 };

    public static TheoryData<string> Compositions => [.. compositions.Keys];

    private static readonly Dictionary<string, Func<Bijection, Bijection>> compositions = new()
    {
        ["alone"] = l => l,
        ["first in a chain"] = l => new Chain(l, new DiagonalScaling([2])),
        ["behind other layers"] = l => new Chain(new Permutation([2], [1, 0]), new DiagonalScaling([2]), l),
        ["in chains in chains"] = l =>
            new Chain(new DiagonalScaling([2]), new Chain(new Chain(l, new DiagonalScaling([2])), new DiagonalScaling([2]))),
        ["turned round twice"] = l => new InvertedLayer(new InvertedLayer(l)),
        ["in a composite of a user's"] = l => new Both(new DiagonalScaling([2]), l),
        ["behind a layer that is fitted first"] = l => new Chain(new Standardization([2]), new Shift(7), l),
    };

    [Theory, MemberData(nameof(Compositions))]
    public void A_layer_that_fits_itself_meets_the_data_as_they_arrive_there(string composition)
    {
        foreach (var own in new[] { false, true })
            foreach (var loader in new[] { false, true })
            {
                using var scope = NewDisposeScope();
                Bijection layer = own ? new Centred() : new Standardization([2]);
                using var flow = new Flow([2], new Chain(compositions[composition](layer), new DiagonalScaling([2])));
                ((IFitsData)layer).IsFitted.Should().BeFalse();
                var x = Data(300, 5000, 1000);
                using (var trainer = new Trainer(flow, brief))
                    trainer.Fit(loader ? TrainingData.FromBatches(Batches(x, 50), 6) : TrainingData.From(x)).Warnings.Should().BeEmpty();
                ((IFitsData)layer).IsFitted.Should().BeTrue();
                // what leaves the layer has mean 0
                Tensor? output = null;
                using (PassState.Observe(call => { if (ReferenceEquals(call.Layer, layer)) output = call.Value.clone()
                        .DetachFromDisposeScope(); }))
                    flow.Encode(x);
                output!.mean([0L]).abs().max().item<float>().Should().BeLessThan(1e-3f);
                if (!own) output.std(0, unbiased: false).sub(1).abs().max().item<float>().Should().BeLessThan(1e-3f);
            }
    }

    [Fact]
    public void A_layer_in_a_scale_is_fitted_and_one_that_is_turned_round_is_named()
    {
        using var scope = NewDisposeScope();
        var inner = new Standardization([1, 2, 2]);
        var turned = new Standardization([4]);
        using var images = new Flow([2, 2, 2], new MultiScaleLayer([2, 2, 2], new DiagonalScaling([2, 2, 2]),
            new Chain(inner, new DiagonalScaling([1, 2, 2]))));
        Trainer.FitLayers(images, TrainingData.From(randn(50, 2, 2, 2).add(9))).Should().BeEmpty();
        inner.state_dict()["mean"].sub(9).abs().max().item<float>().Should().BeLessThan(1);
        using var round = new Flow([4], new Chain(new InvertedLayer(turned), new DiagonalScaling([4])));
        using var trainer = new Trainer(round, brief);
        trainer.Fit(TrainingData.From(randn(64, 4))).Warnings.Should().ContainSingle().Which.Should()
            .Match("*bijection.layers.0.bijection (Standardization) is not fitted*");
        turned.IsFitted.Should().BeFalse();
    }

    public static TheoryData<string> Vectors =>
        [.. PresetTable.All.Where(p => p.Value is not GlowOptions && p.Key.Contains("abular", StringComparison.Ordinal))
            .Select(p => p.Key)];

    [Theory, MemberData(nameof(Vectors))]
    public void A_trained_model_goes_on_with_other_data_as_it_was(string preset)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var options = PresetTable.All[preset];
        using var model = options.NewModel();
        var (x, context) = (randn(200, options.Shape[0]) + 3, options.ContextSize > 0 ? randn(200, options.ContextSize) * 5 + 2000 : null);
        using (var first = new Trainer(model, brief with { LearningRate = 1e-3 })) first.Fit(TrainingData.From(x, context));
        model.Save(folder.At("model.safetensors"));
        var flat = x.narrow(0, 0, 60).clone();
        flat.narrow(1, 1, 1).fill_(3);
        Tensor? Some(long n) => context?.narrow(0, 0, n).clone();
        foreach (var (rows, data) in new (long, Func<TrainingData>)[]
        {
            (50, () => TrainingData.From(x.narrow(0, 0, 50) * 0.01, Some(50))),
            (60, () => TrainingData.From(flat, Some(60))),
            (1, () => TrainingData.From(x.narrow(0, 0, 1), Some(1))),
            (20, () => context is null ? TrainingData.FromBatches([x.narrow(0, 0, 20).clone()], 1)
                : TrainingData.FromBatches([(x.narrow(0, 0, 20).clone(), Some(20)!)], 1)),
        })
        {
            using var again = FlowModel.Load(folder.At("model.safetensors"));
            again.Standardization!.IsFitted.Should().BeTrue();
            var before = again.Evaluate(x, context).MeanLogProb;
            using (var trainer = new Trainer(again, brief)) trainer.Fit(data()).Step.Should().Be(1);
            // the statistics of a batch normalization, of one example or of other ones, are meant to move
            if (!model.modules().Any(m => m is FlowBatchNorm))
                again.Evaluate(x, context).MeanLogProb.Should().BeApproximately(before, 1e-4,
                    "{0} rows at a rate of nothing change nothing", rows);
            again.Standardization.state_dict()["mean"].sub(model.Standardization!.state_dict()["mean"]).abs().max().item<float>().Should()
                .Be(0);
            // on request they are fitted again
            again.Standardization.Fit(again.Standardization.InputShape!.Value.Matches(again.InputShape.ToArray()) ? x * 2 + 1
                : (x * 2 + 1).narrow(1, 0, again.Standardization.InputShape!.Value[0]));
            again.Standardization.state_dict()["mean"].sub(7).abs().max().item<float>().Should().BeLessThan(1);
            Trainer.FitLayers(again, TrainingData.From(x.mul(4), context), again: true);
            again.Standardization.state_dict()["mean"].sub(12).abs().max().item<float>().Should().BeLessThan(2);
        }
    }

    [Fact]
    public void A_resumed_training_and_an_untrained_model_from_a_file_are_fitted_once()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        using var model = new RealNvpModel(RealNvpOptions.Tabular(2), 0);
        model.Save(folder.At("new.safetensors"));
        using var loaded = FlowModel.Load(folder.At("new.safetensors"));
        loaded.Standardization!.IsFitted.Should().BeFalse();
        using (var trainer = new Trainer(loaded, brief)) trainer.Fit(TrainingData.From(Data(64, 50, 2)));
        Mean(loaded).Should().BeApproximately(50, 1);
        using (var trainer = new Trainer(loaded, brief)) trainer.SaveCheckpoint(folder.At("step0.safetensors"));
        using var resumed = Trainer.Resume(folder.At("step0.safetensors"));
        using var flow = (FlowModel)resumed.Flow;
        resumed.Fit(TrainingData.From(Data(64, -50, 2)));
        Mean(flow).Should().BeApproximately(50, 1);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_file_that_is_older_than_the_mark_counts_as_fitted(bool averages)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        using var model = new RealNvpModel(RealNvpOptions.Toy2D with { Standardize = true, Layers = 2, Hidden = 4 }, 0);
        var training = brief with { Epochs = 3, AverageDecay = averages ? 0.9 : null, CheckpointPath = folder.At("new.safetensors"),
            ValidationFraction = averages ? 0.2 : 0 };
        using (var trainer = new Trainer(model, training))
        {
            using var stop = new CancellationTokenSource();
            trainer.Fit(TrainingData.From(Data(64, 50, 2)), progress: new Stop(2, stop), cancellationToken: stop.Token);
        }
        using (var file = SafeTensors.Load(folder.At("new.safetensors")))
            foreach (var (name, version) in new[] { ("old", "1"), ("damaged", "3") })
                SafeTensors.Save(folder.At(name + ".safetensors"),
                    file.Tensors.Where(t => !t.Key.Contains("mean_rest", StringComparison.Ordinal) && !t.Key.Contains("fitted",
                    StringComparison.Ordinal)).ToDictionary(), new Dictionary<string, string>(file.Metadata) { ["version"] = version });
        FluentActions.Invoking(() => FlowModel.Load(folder.At("damaged.safetensors"))).Should().Throw<InvalidDataException>()
            .WithMessage("*2 weight(s) missing*");
        using var loaded = FlowModel.Load(folder.At("old.safetensors"));
        loaded.Standardization!.IsFitted.Should().BeTrue();
        Mean(loaded).Should().BeApproximately(50, 1);
        using var resumed = Trainer.Resume(folder.At("old.safetensors"));
        using var flow = (FlowModel)resumed.Flow;
        resumed.Fit(TrainingData.From(Data(64, -50, 2))).Reason.Should().Be(StopReason.Finished);
        Mean(flow).Should().BeApproximately(50, 1);
    }

    [Fact]
    public void What_cannot_be_fitted_is_refused_with_a_cure_that_works_and_changes_nothing()
    {
        using var scope = NewDisposeScope();
        using var model = new RealNvpModel(RealNvpOptions.Tabular(2), 0);
        var x = Data(100, 50, 2);
        TrainingResult Fit(TrainingData data)
        {
            using var trainer = new Trainer(model, brief);
            return trainer.Fit(data);
        }
        // a sequence that can be enumerated once
        var once = new Queue<Tensor>(Batches(x, 50));
        IEnumerable<Tensor> Once() { while (once.TryDequeue(out var batch)) yield return batch; }
        FluentActions.Invoking(() => Fit(TrainingData.FromBatches(Once(), 2))).Should().Throw<ArgumentException>()
            .WithMessage("*enumerated again*Trainer.FitLayers*");
        // the pass that fits has seen all of it
        Mean(model).Should().BeApproximately(x.mean([0L])[0].item<float>(), 1e-3f);
        using var fresh = new RealNvpModel(RealNvpOptions.Tabular(2), 0);
        using (no_grad()) foreach (var (key, value) in fresh.state_dict()) model.state_dict()[key].copy_(value);
        model.Standardization!.IsFitted.Should().BeFalse();
        // batches that are there once
        var dead = Batches(x, 50).ToArray();
        foreach (var batch in dead) batch.Dispose();
        FluentActions.Invoking(() => Fit(TrainingData.FromBatches(dead, 2))).Should().Throw<ArgumentException>()
            .WithMessage("*has been disposed*clone()*Trainer.FitLayers*");
        FluentActions.Invoking(() => Fit(TrainingData.FromBatches([full([4, 2], float.NaN)], 1))).Should().Throw<ArgumentException>()
            .WithMessage("*NaN*");
        FluentActions.Invoking(() => Fit(TrainingData.From(cat([x, ones(100, 1)], 1)))).Should().Throw<ArgumentException>()
            .WithMessage("*(N, 2)*");
        FluentActions.Invoking(() => Fit(TrainingData.From(ones(10, 2)))).Should().Throw<ArgumentException>().WithMessage("*constant*");
        model.Standardization.IsFitted.Should().BeFalse();
        Trainer.FitLayers(model, TrainingData.From(x)).Should().BeEmpty();
        foreach (var batch in Batches(x, 50)) once.Enqueue(batch);
        Fit(TrainingData.FromBatches(Once(), 2)).Step.Should().Be(2);
        // a list keeps its batches through the pass that fits
        using var other = new RealNvpModel(RealNvpOptions.Tabular(2), 0);
        using var again = new Trainer(other, brief);
        again.Fit(TrainingData.FromBatches(Batches(x, 50).ToList(), 2)).Step.Should().Be(2);
        Mean(other).Should().BeApproximately(50, 1);
    }

    [Fact]
    public void Where_a_later_layer_refuses_the_earlier_ones_are_as_before()
    {
        using var scope = NewDisposeScope();
        var first = new Standardization([2]);
        using var flow = new Flow([2], new Chain(first, new Refusing(), new DiagonalScaling([2])));
        using var trainer = new Trainer(flow, brief);
        FluentActions.Invoking(() => trainer.Fit(TrainingData.From(Data(100, 50, 2)))).Should().Throw<ArgumentException>()
            .WithMessage("*no*");
        first.IsFitted.Should().BeFalse();
        first.state_dict()["mean"].abs().max().item<float>().Should().Be(0);
    }

    [Fact]
    public void A_cancelled_fit_changes_nothing_and_says_so()
    {
        using var scope = NewDisposeScope();
        using var model = new RealNvpModel(RealNvpOptions.Tabular(2), 0);
        using var stop = new CancellationTokenSource();
        IEnumerable<Tensor> Loader()
        {
            foreach (var batch in Batches(Data(100, 50, 2), 25))
            {
                yield return batch;
                stop.Cancel();
            }
        }
        using var trainer = new Trainer(model, brief);
        trainer.Fit(TrainingData.FromBatches(Loader(), 4), cancellationToken: stop.Token).Reason.Should().Be(StopReason.Cancelled);
        model.Standardization!.IsFitted.Should().BeFalse();
    }

    [Fact]
    public void Batches_give_the_moments_of_the_whole()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(5);
        var x = randn([1000, 3], dtype: float64, generator: generator).mul(tensor([1e-3, 1.0, 1e4])).add(tensor([1e3, -2, 3e5]));
        using var whole = new Standardization([3]);
        using var parts = new Standardization([3]);
        whole.to(float64);
        parts.to(float64);
        whole.Fit(x);
        parts.Fit([x[..1], x[1..400], x[400..400], x[400..]]);
        foreach (var key in new[] { "mean", "mean_rest", "log_std" })
            whole.state_dict()[key].sub(parts.state_dict()[key]).abs().max().item<double>().Should().BeLessThan(1e-9);
        var mean = whole.state_dict()["mean"] + whole.state_dict()["mean_rest"];
        // the sum of 1000 values of 1e3 is off by up to 1e-7 of the deviation
        mean.sub(x.mean([0L])).div(x.std(0)).abs().max().item<double>().Should().BeLessThan(1e-7);
    }

    private static float Mean(FlowModel model) => model.Standardization!.state_dict()["mean"][0].item<float>();

    private static Tensor Data(long rows, double mean, double deviation)
    {
        using var generator = new Generator(3);
        return randn([rows, 2], generator: generator).mul(deviation).add(mean);
    }

    private static IEnumerable<Tensor> Batches(Tensor x, long size)
    {
        for (long start = 0; start < x.shape[0]; start += size) yield return x.narrow(0, start, Math.Min(size, x.shape[0] - start)).clone();
    }

    private sealed class Stop(long after, CancellationTokenSource source) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            if (value.Step == after) source.Cancel();
        }
    }
}
