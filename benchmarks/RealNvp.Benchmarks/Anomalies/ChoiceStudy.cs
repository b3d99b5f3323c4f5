using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using RealNvp.Anomalies;
using RealNvp.Benchmarks.Presets;
using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks.Anomalies;

/// <summary>Compares models, noise and scores for the defaults of the detector, on anomalies that are made of tables without labels.</summary>
internal static class ChoiceStudy
{
    public static Command Command()
    {
        var folders = new Argument<string[]>("files") { Description = "Tables as .npy or .npy.gz." };
        var output = new Option<string>("--output") { Description = "A file that lines are appended to.", Required = true };
        var rows = new Option<int[]>("--rows") { DefaultValueFactory = _ => [150, 600, 2500], AllowMultipleArgumentsPerToken = true };
        var seeds = new Option<int>("--seeds") { DefaultValueFactory = _ => 2 };
        var candidates = new Option<string[]>("--candidate") {
            Description = "Such as RealNvp:Hidden=32;noise=0.05;members=3;batch=64;epochs=400;patience=30; 'others' for the common methods.",
            AllowMultipleArgumentsPerToken = true };
        var command = new Command("choose-detector", "Compares candidates for the defaults of AnomalyDetector.") { folders, output, rows, seeds,
            candidates };
        command.SetAction(parsed =>
        {
            set_num_threads(1);
            foreach (var candidate in parsed.GetRequiredValue(candidates))
                foreach (var file in parsed.GetRequiredValue(folders))
                    foreach (var count in parsed.GetRequiredValue(rows))
                        for (var seed = 0; seed < parsed.GetValue(seeds); seed++)
                        {
                            using var scope = NewDisposeScope();
                            var name = Path.GetFileName(file).Split('.', '-')[0];
                            var task = ChoiceTask.Of(NpyTable.Read(file), count, seed);
                            var clock = Stopwatch.StartNew();
                            var scores = candidate == "others" ? Others(task, seed) : Flows(task, candidate, seed);
                            var text = string.Concat(scores.SelectMany(s => task.Anomalies.Keys.Select(kind => string.Create(
                                CultureInfo.InvariantCulture,
                                $"{candidate}\t{name}\t{count}\t{seed}\t{kind}\t{s.Score}\t{s.Area(kind):F4}\t{clock.Elapsed.TotalSeconds:F1}\n"))));
                            File.AppendAllText(parsed.GetRequiredValue(output), text);
                        }
            return 0;
        });
        return command;
    }

    private static IEnumerable<(string Score, Func<string, double> Area)> Others(ChoiceTask task, int seed) =>
        AnomalyStudy.Others.Select(o =>
        {
            var detector = o.Fit(Rows(task.Train), seed);
            var ordinary = detector.Scores(Rows(task.Ordinary));
            return (o.Name, (Func<string, double>)(kind => Area(ordinary, detector.Scores(Rows(task.Anomalies[kind])))));
        }).ToArray();

    private static IEnumerable<(string Score, Func<string, double> Area)> Flows(ChoiceTask task, string candidate, int seed)
    {
        var parts = candidate.Split(';');
        var settings = parts.Skip(1).Select(p => p.Split('=')).ToDictionary(p => p[0], p => double.Parse(p[1], CultureInfo.InvariantCulture));
        double Setting(string name, double otherwise) => settings.GetValueOrDefault(name, otherwise);
        var members = (int)Setting("members", 1);
        var order = Enumerable.Range(0, task.Train.Length).ToArray();
        new Random(seed).Shuffle(order);
        var sets = new Dictionary<string, Tensor> { [""] = Rows(task.Ordinary) };
        foreach (var (kind, made) in task.Anomalies) sets[kind] = Rows(made);
        // of each set and member: log p of the latents, and the log-determinant
        var found = sets.Keys.ToDictionary(k => k, _ => new List<(double[] Base, double[] LogDet)>());
        var folds = Math.Max(10, members);
        for (var member = 0; member < members; member++)
        {
            using var scope = NewDisposeScope();
            var held = order.Where((_, i) => i % folds == member).Select(i => task.Train[i]).ToArray();
            var train = order.Where((_, i) => i % folds != member).Select(i => task.Train[i]).ToArray();
            using var model = Candidate.Parse(parts[0]).For(train[0].Length, train.Length).NewModel((seed * 100) + member);
            var widths = Enumerable.Range(0, train[0].Length)
                .Select(c => AnomalyColumn.Of("", [.. train.Select(r => r[c])]).Noise).ToArray();
            var spreads = Enumerable.Range(0, train[0].Length).Select(c => Setting("noise", 0) * Deviation([.. train.Select(r => r[c])])).ToArray();
            Tensor Numbers(double[] values) => tensor(values, [1, values.Length]);
            var (rows, heldRows) = (Rows(train), Rows(held));
            var (w, s) = (Numbers(widths), Numbers(spreads));
            Func<Tensor, Tensor> white = x => x;
            // 1: symmetric, 2: principal axes, 3: members of both kinds and plain in turn
            var kindOfWhite = (int)Setting("white", 0) is var k && k == 3 ? (member + 1) % 3 : k == 4 ? (member + 1) % 2 : k;
            if (kindOfWhite > 0)
            {
                var noisy = JitteredRows.Noisy(rows, w, zeros_like(w), 5);
                var mean = noisy.mean([0], keepdim: true);
                var deviation = noisy.std(0, unbiased: false, keepdim: true);
                var z = (noisy - mean) / deviation;
                var (values, vectors) = linalg.eigh(z.t().mm(z) / z.shape[0]);
                var matrix = vectors / (values.clamp_min(0) + Setting("floor", 1e-6)).sqrt();
                if (kindOfWhite == 1) matrix = matrix.mm(vectors.t());
                white = x => ((x - mean) / deviation).mm(matrix);
                s = full_like(s, Setting("noise", 0));
            }
            // validation rows several times, each with noise of its own
            var heldData = new WhitenedRows(heldRows.repeat([(long)Setting("repeat", 1), 1]), w, s, white, kindOfWhite > 0, fixedSeed: 7);
            var trainData = new WhitenedRows(rows, w, s, white, kindOfWhite > 0);
            var options = TrainingOptions.For(model.ModelOptions) with
            {
                BatchSize = (int)Setting("batch", 256), Epochs = (int)Setting("epochs", 100), Patience = (int)Setting("patience", 15),
                LearningRate = Setting("rate", 1e-3), Seed = seed, MaxDuration = TimeSpan.FromSeconds(60.0 / members),
                AverageDecay = Setting("decay", 0.99),
            };
            using (var trainer = new Trainer(model, options)) trainer.Fit(trainData, TrainingData.From(model.ToWeights(heldData.Once())));
            model.eval();
            using var gradients = no_grad();
            foreach (var (kind, set) in sets)
            {
                var x = model.ToWeights(white(set));
                var z = model.Encode(x);
                var latent = model.BaseDensity.LogProb(z).FetchAll();
                found[kind].Add((latent, [.. model.LogProb(x).FetchAll().Zip(latent, (p, b) => p - b)]));
            }
        }
        double[] Score(string kind, Func<double, double, double> of, Func<IEnumerable<double>, double> join) =>
            [.. Enumerable.Range(0, found[kind][0].Base.Length).Select(i => -join(found[kind].Select(m => of(m.Base[i], m.LogDet[i]))))];
        (string, Func<string, double>) Named(string name, Func<double, double, double> of, Func<IEnumerable<double>, double> join) =>
            (name, kind => Area(Score("", of, join), Score(kind, of, join)));
        static double Mixed(IEnumerable<double> values)
        {
            var most = values.Max();
            return most + Math.Log(values.Average(v => Math.Exp(v - most)));
        }
        var list = new List<(string, Func<string, double>)>
        {
            Named("first", (b, d) => b + d, v => v.First()),
            Named("latent", (b, _) => b, v => v.Average()),
            Named("half", (b, d) => b + (0.5 * d), v => v.Average()),
            Named("quarter", (b, d) => b + (0.25 * d), v => v.Average()),
        };
        if (members > 1)
        {
            list.Add(Named("mean", (b, d) => b + d, v => v.Average()));
            list.Add(Named("mixture", (b, d) => b + d, Mixed));
            list.Add(Named("three", (b, d) => b + d, v => v.Take(3).Average()));
        }
        return list;
    }

    private sealed class WhitenedRows(Tensor rows, Tensor widths, Tensor spreads, Func<Tensor, Tensor> white, bool whitened,
        long fixedSeed = 0) : TrainingData
    {
        private readonly TrainingData data = From(rows);

        public override long? Count => data.Count;

        public override long? BatchesPerEpoch(int batchSize) => data.BatchesPerEpoch(batchSize);

        public Tensor Once() => Of(rows, fixedSeed);

        public override IEnumerable<TrainingBatch> Batches(int batchSize, long seed, long skip)
        {
            var index = skip;
            foreach (var batch in data.Batches(batchSize, seed, skip))
                using (batch) yield return new TrainingBatch(Of(batch.X, seed + (index++ * 1_000_003)));
        }

        private Tensor Of(Tensor x, long seed)
        {
            using var scope = NewDisposeScope();
            var zero = zeros_like(widths);
            return scope.Detach(whitened ? JitteredRows.Noisy(white(JitteredRows.Noisy(x, widths, zero, seed)), zero, spreads, seed + 1)
                : JitteredRows.Noisy(x, widths, spreads, seed));
        }
    }

    private static double[] FetchAll(this Tensor t) => t.to(float64).data<double>().ToArray();

    private static double Deviation(double[] values)
    {
        var mean = values.Average();
        return Math.Sqrt(values.Average(v => (v - mean) * (v - mean)));
    }

    private static double Area(double[] ordinary, double[] odd) =>
        Metrics.RocAuc([.. ordinary, .. odd], [.. ordinary.Select(_ => false), .. odd.Select(_ => true)]);

    private static Tensor Rows(double[][] rows) => tensor([.. rows.SelectMany(r => r)], [rows.Length, rows[0].Length]);
}
