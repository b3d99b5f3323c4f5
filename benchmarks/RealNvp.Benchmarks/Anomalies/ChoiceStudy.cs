using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using RealNvp.Anomalies;
using RealNvp.Benchmarks.Presets;
using RealNvp.Internal;
using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks.Anomalies;

/// <summary>Compares models, noise and scores for the defaults of the detector,
/// on anomalies that are made of tables without labels.</summary>
internal static class ChoiceStudy
{
    // latents of the training that "nearest" looks at
    private const int Kept = 512;

    public static Command Command()
    {
        var folders = new Argument<string[]>("files") {
            Description = "Tables as .npy or .npy.gz; with known anomalies as .npz, for a report and not for a choice." };
        var output = new Option<string>("--output") { Description = "A file that lines are appended to.", Required = true };
        var rows = new Option<int[]>("--rows") { DefaultValueFactory = _ => [150, 600, 2500], AllowMultipleArgumentsPerToken = true };
        var seeds = new Option<int[]>("--seeds") { DefaultValueFactory = _ => [0], AllowMultipleArgumentsPerToken = true };
        var candidates = new Option<string[]>("--candidate") {
            Description = "Such as RealNvp:Hidden=32;noise=0.05;white=2;members=3;batch=64;epochs=400;patience=30, or others.",
            AllowMultipleArgumentsPerToken = true };
        var command = new Command("choose-detector", "Compares candidates for the defaults of AnomalyDetector.") {
            folders, output, rows, seeds, candidates };
        command.SetAction(parsed =>
        {
            set_num_threads(1);
            foreach (var candidate in parsed.GetRequiredValue(candidates))
                foreach (var file in parsed.GetRequiredValue(folders))
                    foreach (var count in parsed.GetRequiredValue(rows))
                        foreach (var seed in parsed.GetRequiredValue(seeds))
                        {
                            using var scope = NewDisposeScope();
                            var name = Path.GetFileName(file).Split('.', '-')[0];
                            var task = file.EndsWith(".npz", StringComparison.Ordinal) ? ChoiceTask.Of(file, seed)
                                : ChoiceTask.Of(NpyTable.Read(file), count, seed);
                            var clock = Stopwatch.StartNew();
                            IReadOnlyList<(string Name, Func<string, double> Area)> scores = candidate == "others" ? Others(task, seed)
                                : Flows(task, candidate, seed);
                            File.AppendAllLines(parsed.GetRequiredValue(output), scores.SelectMany(s => task.Anomalies.Keys
                                .Select(kind => string.Join('\t', candidate, name, count, seed, kind, s.Name,
                                    s.Area(kind).ToString("F4", CultureInfo.InvariantCulture),
                                    clock.Elapsed.TotalSeconds.ToString("F1", CultureInfo.InvariantCulture)))));
                        }
            return 0;
        });
        return command;
    }

    private static (string Name, Func<string, double> Area)[] Others(ChoiceTask task, int seed) =>
        AnomalyStudy.Others.Select(o =>
        {
            var detector = o.Fit(Rows(task.Train), seed);
            var ordinary = detector.Scores(Rows(task.Ordinary));
            return (o.Name, (Func<string, double>)(kind => Area(ordinary, detector.Scores(Rows(task.Anomalies[kind])))));
        }).ToArray();

    private static List<(string Name, Func<string, double> Area)> Flows(ChoiceTask task, string candidate, int seed)
    {
        var parts = candidate.Split(';');
        var settings = parts.Skip(1).Select(p => p.Split('='))
            .ToDictionary(p => p[0], p => double.Parse(p[1], CultureInfo.InvariantCulture));
        double Setting(string name, double otherwise) => settings.GetValueOrDefault(name, otherwise);
        var members = (int)Setting("members", 1);
        var order = Enumerable.Range(0, task.Train.Length).ToArray();
        new Random(seed).Shuffle(order);
        var sets = new Dictionary<string, Tensor> { [""] = Rows(task.Ordinary) };
        foreach (var (kind, made) in task.Anomalies) sets[kind] = Rows(made);
        // of each set and member: log p of the latents, and the log-determinant
        var found = sets.Keys.ToDictionary(k => k, _ => new List<(double[] Base, double[] LogDet)>());
        // the same for the square of the distance to the nearest of some latents of the training
        var nearest = sets.Keys.ToDictionary(k => k, _ => new List<double[]>());
        var folds = Math.Max(10, members);
        for (var member = 0; member < members; member++)
        {
            using var scope = NewDisposeScope();
            var held = order.Where((_, i) => i % folds == member).Select(i => task.Train[i]).ToArray();
            var train = order.Where((_, i) => i % folds != member).Select(i => task.Train[i]).ToArray();
            using var model = Candidate.Parse(parts[0]).For(train[0].Length, train.Length).NewModel((seed * 100) + member);
            var columns = Enumerable.Range(0, train[0].Length).Select(c => train.Select(r => r[c]).ToArray()).ToArray();
            var widths = columns.Select(c => AnomalyColumn.Of("", c).Noise).ToArray();
            var spreads = columns.Select(c => Setting("noise", 0) * Spread.Of(c)).ToArray();
            Tensor Numbers(double[] values) => tensor(values, [1, values.Length]);
            var (rows, heldRows) = (Rows(train), Rows(held));
            var (w, s) = (Numbers(widths), Numbers(spreads));
            var whitening = (int)Setting("white", 0) is var kind && (kind == 1 || (kind == 2 && member % 2 == 0))
                ? Whitening.Of(new NoisyRows(Rows(task.Train), w, zeros_like(w), null).Repeated(1, 5)) : null;
            if (whitening is not null) s = full_like(s, Setting("noise", 0));
            var trainData = new NoisyRows(rows, w, s, whitening);
            var heldData = new NoisyRows(heldRows, w, s, whitening).Repeated((int)Setting("repeat", 1), 7);
            var options = TrainingOptions.For(model.ModelOptions) with
            {
                BatchSize = (int)Setting("batch", 256), Epochs = (int)Setting("epochs", 100), Patience = (int)Setting("patience", 15),
                LearningRate = Setting("rate", 1e-3), Seed = seed,
                AverageDecay = Setting("decay", 0.99), MaxSteps = (long)Setting("steps", 1e9),
            };
            using (var trainer = new Trainer(model, options)) trainer.Fit(trainData, TrainingData.From(model.ToWeights(heldData)));
            model.eval();
            using var gradients = no_grad();
            var kept = model.Encode(model.ToWeights(whitening?.Apply(rows) ?? rows)).narrow(0, 0, Math.Min(Kept, rows.shape[0]));
            foreach (var (name, set) in sets)
            {
                var x = model.ToWeights(whitening?.Apply(set) ?? set);
                var z = model.Encode(x);
                var latent = model.BaseDensity.LogProb(z).FetchAll();
                nearest[name].Add(cdist(z, kept).amin([1L]).square().FetchAll());
                found[name].Add((latent, [.. model.LogProb(x).FetchAll().Zip(latent, (p, b) => p - b)]));
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
            ("nearest", kind => Area(Mean(nearest[""]), Mean(nearest[kind]))),
        };
        static double[] Mean(List<double[]> all) => [.. Enumerable.Range(0, all[0].Length).Select(i => all.Average(m => m[i]))];
        if (members > 1)
        {
            list.Add(Named("mean", (b, d) => b + d, v => v.Average()));
            list.Add(Named("mixture", (b, d) => b + d, Mixed));
            list.Add(Named("three", (b, d) => b + d, v => v.Take(3).Average()));
        }
        return list;
    }

    private static double[] FetchAll(this Tensor t) => t.to(float64).data<double>().ToArray();

    private static double Area(double[] ordinary, double[] odd) =>
        Metrics.RocAuc([.. ordinary, .. odd], [.. ordinary.Select(_ => false), .. odd.Select(_ => true)]);

    private static Tensor Rows(double[][] rows) => tensor([.. rows.SelectMany(r => r)], [rows.Length, rows[0].Length]);
}
