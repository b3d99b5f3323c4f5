using RealNvp.Tests.Anomalies;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Tables;

namespace RealNvp.Tests.Training;

/// <summary>Each fit in one line that was cut off goes on by the same call.</summary>
[LeavesNoTensors]
public sealed class FitCheckpointTests : IDisposable
{
    private static readonly TrainingOptions training = new() { Epochs = 3, BatchSize = 16, Patience = 2, Seed = 3 };
    private static readonly Table line = MixedTables.Line(60);
    private static readonly double[,] rows = AnomalyCases.Rows(90, 1);

    // fits with a checkpoint, and gives numbers that tell weights apart
    private static readonly Dictionary<string, Func<string?, TrainingOptions, IProgress<TrainingProgress>?, CancellationToken, double[]>>
        fits = new()
        {
            ["model"] = (path, how, progress, token) =>
            {
                using var model = FlowModel.Fit(AnomalyCases.Rows3(60, 1), options: new() { Training = how, CheckpointPath = path,
                    Model = RealNvpOptions.Tabular(3) with { Hidden = 4, Layers = 2, Blocks = 1 } }, progress: progress,
                    cancellationToken: token);
                return model.LogProb(AnomalyCases.Rows3(5, 2));
            },
            ["table"] = (path, how, progress, token) =>
            {
                using var flow = TableFlow.Fit(line, null, new() { Training = how, CheckpointPath = path, Hidden = 8 }, progress, token);
                return flow.LogProb(line);
            },
            ["detector"] = (path, how, progress, token) =>
            {
                using var detector = AnomalyDetector.Fit(rows, AnomalyCases.Tiny with { Training = how, CheckpointPath = path }, progress,
                    token);
                return [.. detector.Score(rows).Scores];
            },
        };

    private static readonly Dictionary<string, Dictionary<string, byte[]>> cutOff = [];

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string, int> Cases => [.. fits.Keys.SelectMany(f => new[] { 1, 4, 7, 13 }.Select(s => (f, s)))];

    [Theory, MemberData(nameof(Cases))]
    public void What_was_cut_off_goes_on_by_the_same_call_to_the_same_bit(string name, int step)
    {
        var path = folder.At("fit.safetensors");
        var expected = fits[name](null, training, null, default);
        using var stop = new CancellationTokenSource();
        var left = step;
        fits[name](path, training, new Now(() => { if (--left == 0) stop.Cancel(); }), stop.Token);
        if (left <= 0) folder.Names.Should().NotBeEmpty("a checkpoint stays if the training was cut off");
        else folder.Names.Should().BeEmpty("the training has come to its end");
        fits[name](path, training, null, default).Should().Equal(expected);
        folder.Names.Should().BeEmpty("there is nothing left to go on from");
    }

    [Fact]
    public void A_training_that_stopped_early_does_not_go_on_from_its_checkpoint()
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        var path = folder.At("checkpoint.safetensors");
        var x = TorchSharp.torch.tensor(AnomalyCases.Rows3(60, 1));
        var options = training with { Epochs = 50, Patience = 1, LearningRate = 0.5, CheckpointPath = path };
        using var model = new RealNvpModel(RealNvpOptions.Tabular(3) with { Hidden = 4, Layers = 2, Blocks = 1 }, 1);
        using var trainer = new Trainer(model, options);
        var result = trainer.Fit(TrainingData.From(x));
        result.Reason.Should().Be(StopReason.EarlyStopped);
        using var resumed = Trainer.Resume(path);
        using var again = resumed.Flow;
        var end = resumed.Fit(TrainingData.From(x));
        (end.Reason, end.Step, end.History.Count).Should().Be((result.Reason, result.Step, result.History.Count));
    }

    [Fact]
    public void A_checkpoint_in_two_places_or_in_none_is_refused_before_any_work()
    {
        foreach (var (name, fit) in fits)
        {
            foreach (var (path, word) in new[] { (folder.At("none/fit"), "*does not exist*"), (folder.At("."), "*is a folder*"),
                ("", "*is empty*") })
                FluentActions.Invoking(() => fit(path, training, null, default)).Should().Throw<ArgumentException>(name).WithMessage(word);
            FluentActions.Invoking(() => fit(folder.At("a"), training with { CheckpointPath = folder.At("b") }, null, default)).Should()
                .Throw<ArgumentException>(name).WithMessage("*CheckpointPath alone*");
        }
        // the members of a detector would write one over the other
        FluentActions.Invoking(() => fits["detector"](null, training with { CheckpointPath = folder.At("b") }, null, default)).Should()
            .Throw<ArgumentException>().WithMessage("*CheckpointPath alone*");
        folder.Names.Should().BeEmpty();
    }

    // what each fit can have of another kind than the fit that wrote its checkpoint, and what the message says of it
    private static readonly Dictionary<string, (string Word, Action<string> Fit)[]> others = new()
    {
        ["model"] =
        [
            ("*rows to train on was 54 of shape (3,), digest * now it is 54 of shape (3,), digest *", p => Model(p, seed: 2)),
            ("*rows to train on was 54 of *now it is 63 of *", p => Model(p, 70)),
            ("*rows to train on was * of shape (3,)*of shape (2,)*", p => Model(p, columns: 2)),
            ("*Training.BatchSize was 16; now it is 8*", p => Model(p, how: o => o with { BatchSize = 8 })),
            ("*Training.Adam was *0.9*now it is *0.8*", p => Model(p, how: o => o with { Adam = new() { Beta1 = 0.8 } })),
            ("*Model.Hidden was 4; now it is 5*", p => Model(p, hidden: 5)),
            ("*Columns was none; now it is a, b, c*", p => Model(p, options: o => o with { Columns = ["a", "b", "c"] })),
            ("*rows to train on was *HeldOut was 0.1; now it is 0.2*", p => Model(p, options: o => o with { HeldOut = 0.2 })),
            ("*Seed was 0; now it is 1*", p => Model(p, options: o => o with { Seed = 1 })),
            ("*their contexts was none; now it is 54 of shape (1,)*", p => Model(p, context: true)),
        ],
        ["table"] =
        [
            ("*rows was 60 of *now it is 61 of *", p => Tabled(p, MixedTables.Line(61))),
            ("*rows was *digest *now it is *digest *", p => Tabled(p, MixedTables.Line(60, 3))),
            ("*Order was *now it is *", p => Tabled(p, line, o => o with { Order = [line.Names[^1]] })),
            ("*Hidden was 8; now it is 9*", p => Tabled(p, line, o => o with { Hidden = 9 })),
            ("*Schema was *heavy tails*", p => Tabled(p, line, schema: Heavy())),
            // the same codes, in another unit
            ("*rows was *digest *now it is *digest *", p => Tabled(p, Table.FromColumns(line.Names.Select(n => (n, line[n].Kind
                == TableCellKind.Number ? (TableColumn)Array.ConvertAll(line[n].ToNumbers(), v => 4 * v) : line[n])).ToArray()))),
        ],
        ["detector"] =
        [
            ("*rows was *digest *now it is *digest *", p => Detector(p, AnomalyCases.Rows(90, 2))),
            ("*rows was *now it is *", p => Detector(p, AnomalyCases.Rows(95, 1))),
            ("*Jitter was * now it is 0.3*", p => Detector(p, rows, o => o with { Jitter = 0.3 })),
            ("*Members was * now it is 3*", p => Detector(p, rows, o => o with { Members = 3 })),
            ("*Training.LearningRate was 0.001; now it is 0.01*", p => Detector(p, rows, how: o => o with { LearningRate = 0.01 })),
        ],
    };

    public static TheoryData<string, int> Others => [.. others.SelectMany(o => o.Value.Select((_, i) => (o.Key, i)))];

    [Theory, MemberData(nameof(Others))]
    public void A_fit_does_not_go_on_from_the_checkpoint_of_another_one(string name, int other)
    {
        var path = folder.At("fit.safetensors");
        CutOff(name, path);
        var files = Files();
        var (word, fit) = others[name][other];
        FluentActions.Invoking(() => fit(path)).Should().Throw<ArgumentException>().WithMessage("*CheckpointPath is *another fit. " + word)
            .WithMessage("*or delete it, or give another path, to begin anew*");
        Files().Should().BeEquivalentTo(files, "nothing is lost");
    }

    [Theory, InlineData("model"), InlineData("table"), InlineData("detector")]
    public void How_long_to_train_may_change_when_a_fit_goes_on(string name)
    {
        var path = folder.At("fit.safetensors");
        var longer = training with { Epochs = 4, Patience = 4, MaxDuration = TimeSpan.FromHours(1), CheckpointEvery = 2 };
        var expected = fits[name](null, longer, null, default);
        CutOff(name, path);
        fits[name](path, longer, null, default).Should().Equal(expected);
    }

    [Fact]
    public void A_checkpoint_that_does_not_say_of_what_it_is_goes_on_with_a_word()
    {
        var path = folder.At("fit.safetensors");
        CutOff("model", path);
        using (var file = SafeTensors.Load(path))
            SafeTensors.Save(path, file.Tensors, file.Metadata.Where(m => !m.Key.StartsWith("fit.", StringComparison.Ordinal)
                && m.Key is not ("data" or Checksum.Key)).ToDictionary());
        using var model = Model(path);
        model.Report!.Result.Warnings.Should().ContainSingle(w => w.Contains("were not compared"));
    }

    [Fact]
    public void A_trainer_that_goes_on_with_other_examples_says_so()
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        var path = folder.At("checkpoint.safetensors");
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(3) with { Hidden = 4, Layers = 2, Blocks = 1 }, 1);
        using (var trainer = new Trainer(flow, training with { MaxSteps = 2, CheckpointPath = path }))
        {
            using var stop = new CancellationTokenSource();
            trainer.Fit(TrainingData.From(TorchSharp.torch.tensor(AnomalyCases.Rows3(60, 1))), progress: new Now(stop.Cancel),
                cancellationToken: stop.Token);
        }
        IReadOnlyList<string> Warnings(double[,] rows, TorchSharp.torch.Tensor? weights = null)
        {
            using var trainer = Trainer.Resume(path, flow, o => o with { CheckpointPath = null });
            return trainer.Fit(TrainingData.From(TorchSharp.torch.tensor(rows), weights: weights)).Warnings;
        }
        Warnings(AnomalyCases.Rows3(60, 1)).Should().NotContain(w => w.Contains("not those of the checkpoint"));
        Warnings(AnomalyCases.Rows3(60, 2)).Should().ContainSingle(w => w.Contains("not those of the checkpoint"));
        Warnings(AnomalyCases.Rows3(80, 1)).Should().ContainSingle(w => w.Contains("a training on 54 of shape (3,), digest")
            && w.Contains("now they are 72 of shape (3,)"));
        Warnings(AnomalyCases.Rows3(60, 1), TorchSharp.torch.ones(60)).Should().ContainSingle(w => w.Contains("not those of"));
    }

    // the files of a fit that was cut off, made once
    private void CutOff(string name, string path)
    {
        if (!cutOff.TryGetValue(name, out var files))
        {
            using var stop = new CancellationTokenSource();
            var left = 4;
            fits[name](path, training, new Now(() => { if (--left == 0) stop.Cancel(); }), stop.Token);
            cutOff[name] = files = Files();
        }
        files.Should().NotBeEmpty();
        foreach (var (file, bytes) in files) File.WriteAllBytes(folder.At(file), bytes);
    }

    private Dictionary<string, byte[]> Files() => folder.Names.ToDictionary(n => n, n => File.ReadAllBytes(folder.At(n)));

    private static FlowModel Model(string path, int count = 60, int seed = 1, int columns = 3, int hidden = 4, bool context = false,
        Func<TrainingOptions, TrainingOptions>? how = null, Func<FitOptions, FitOptions>? options = null)
    {
        var three = AnomalyCases.Rows3(count, seed);
        var some = new double[count, columns];
        for (var r = 0; r < count; r++)
            for (var c = 0; c < columns; c++) some[r, c] = three[r, c];
        var given = new double[count, 1];
        for (var r = 0; r < count; r++) given[r, 0] = r;
        var asked = new FitOptions { Training = how?.Invoke(training) ?? training, CheckpointPath = path,
            Model = RealNvpOptions.Tabular(columns) with { Hidden = hidden, Layers = 2, Blocks = 1, ContextSize = context ? 1 : 0 } };
        return FlowModel.Fit(some, context ? given : default(DataRows), options?.Invoke(asked) ?? asked);
    }

    private static void Tabled(string path, Table table, Func<TableFlowOptions, TableFlowOptions>? options = null,
        TableSchema? schema = null)
    {
        var asked = new TableFlowOptions { Training = training, CheckpointPath = path, Hidden = 8 };
        TableFlow.Fit(table, schema, options?.Invoke(asked) ?? asked).Dispose();
    }

    private static TableSchema Heavy()
    {
        var schema = TableSchema.Propose(line);
        return schema.With(schema.Columns.First(c => c.Kind == TableColumnKind.Number) with { HeavyTails = true });
    }

    private static void Detector(string path, double[,] some, Func<AnomalyOptions, AnomalyOptions>? options = null,
        Func<TrainingOptions, TrainingOptions>? how = null)
    {
        var asked = AnomalyCases.Tiny with { Training = how?.Invoke(training) ?? training, CheckpointPath = path };
        AnomalyDetector.Fit(some, options?.Invoke(asked) ?? asked).Dispose();
    }

    private sealed class Now(Action heard) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => heard();
    }
}
