namespace RealNvp.Tests.Packaging;

/// <content>A program that writes and reads everything of which files hold JSON.</content>
public sealed partial class PackageTests
{
    // all kinds of models, schedules and members that need a converter
    private const string JsonProgram = """
        using System.Text.Json;
        using RealNvp;
        using static TorchSharp.torch;

        var refused = false;
        try { JsonSerializer.Serialize(new List<Version>()); } catch (InvalidOperationException) { refused = true; }
        Console.WriteLine($"reflection: {JsonSerializer.IsReflectionEnabledByDefault}, refused: {refused}");

        FlowModel[] models =
        [
            new GlowModel(GlowOptions.Digits8x8 with { Hidden = 4, Layers = 1 }, 1), new IafModel(IafOptions.Tabular(3) with { Hidden = 8 }, 1), new MafModel(MafOptions.Tabular(3) with { Hidden = 8, TailThreshold = 3 }, 1),
            new NiceModel(NiceOptions.Tabular(3) with { Hidden = 8 }, 1), new RealNvpModel(RealNvpOptions.Tabular(3, 500) with { Hidden = 8 }, 1),
            new SplineFlowModel(SplineFlowOptions.Tabular(3) with { Hidden = 8, Layers = 2, CircularFeatures = [0] }, 1),
            new ResidualFlowModel(ResidualFlowOptions.Tabular(3) with { Hidden = 8, Layers = 2 }, 1), new ResidualFlowModel(ResidualFlowOptions.Digits8x8 with { Hidden = 4, Layers = 1 }, 1),
            new FfjordModel(FfjordOptions.Matching2D with { Hidden = 8 }, 1), new FfjordModel(FfjordOptions.Torus(2) with { Hidden = 8 }, 1),
            // a flow of another library
            new NflowsImporter { TailBound = 2 }.FromStateDict(new Dictionary<string, Tensor>
            {
                ["_transform._transforms.0._permutation"] = tensor(new long[] { 2, 0, 1 }), ["_transform._transforms.1._scale"] = ones(3).mul(2),
                ["_transform._transforms.1._shift"] = ones(3),
            }).Flow,
        ];
        foreach (var model in models)
        {
            model.eval();
            model.Save("model.safetensors");
            using var loaded = FlowModel.Load("model.safetensors");
            Console.WriteLine($"{loaded.GetName()}: {loaded.ModelOptions.ToJson() == model.ModelOptions.ToJson() && ModelOptions.FromJson<RealNvpOptions>(RealNvpOptions.Toy2D.ToJson()) == RealNvpOptions.Toy2D && Equal(model, loaded)}");
        }

        var x = randn(200, 3);
        var losses = new List<double>();
        foreach (var schedule in new LearningRateSchedule[] { new ConstantSchedule(), new CosineSchedule(), new ExponentialSchedule() })
        {
            using var whole = new RealNvpModel(RealNvpOptions.Tabular(3) with { Hidden = 8 }, 1);
            using var half = new RealNvpModel(RealNvpOptions.Tabular(3) with { Hidden = 8 }, 1);
            var options = new TrainingOptions { Epochs = 4, Schedule = schedule, Patience = 3, AverageDecay = 0.9, Seed = 1, MaxSteps = 12 };
            using var trainer = new Trainer(whole, options);
            var expected = trainer.Fit(TrainingData.From(x)).History[^1].Loss;
            using var stop = new CancellationTokenSource();
            using var first = new Trainer(half, options with { CheckpointPath = "checkpoint.safetensors" });
            first.Fit(TrainingData.From(x), progress: new Now(p => { if (p.Step == 3) stop.Cancel(); }), cancellationToken: stop.Token);
            using var second = Trainer.Resume("checkpoint.safetensors");
            losses.Add(second.Fit(TrainingData.From(x)).History[^1].Loss - expected);
            second.Flow.Dispose();
        }
        Console.WriteLine($"resumed: {losses.TrueForAll(d => d == 0)}");

        using Flow flow = new([3], new DiagonalScaling([3])), other = new([3], new DiagonalScaling([3]));
        foreach (var p in flow.parameters()) using (no_grad()) p.add_(0.5f);
        flow.SaveWeights("weights.safetensors");
        other.LoadWeights("weights.safetensors");
        Console.WriteLine($"weights: {Equal(flow, other)}");

        using var detector = AnomalyDetector.Fit(x, new() { Columns = ["a", "b", "c"], Members = 1, Training = new() { Epochs = 1 } });
        detector.Save("detector.safetensors");
        using var again = AnomalyDetector.Load("detector.safetensors");
        Console.WriteLine($"detector: {again.Columns[2].Name == "c" && again.Score(x).Scores.SequenceEqual(detector.Score(x).Scores)}");

        var table = Table.FromColumns(("number", x.select(1, 0).data<float>().ToArray()), ("text", Enumerable.Range(0, 200).Select(i => i % 3 == 0 ? "yes" : "no").ToArray()));
        using var density = TableFlow.Fit(table, null, new() { Training = new() { Epochs = 1 } });
        density.Save("table.safetensors");
        using var read = TableFlow.Load("table.safetensors");
        Console.WriteLine($"table: {read.LogProb(table).SequenceEqual(density.LogProb(table))}");

        static bool Equal(Flow a, Flow b) => a.state_dict().All(t => t.Value.equal(b.state_dict()[t.Key]).all().item<bool>());

        sealed class Now(Action<TrainingProgress> hear) : IProgress<TrainingProgress>
        {
            public void Report(TrainingProgress value) => hear(value);
        }
        """;
}
