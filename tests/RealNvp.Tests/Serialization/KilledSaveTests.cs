using System.Diagnostics;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Serialization;

/// <summary>Processes that are killed while they save: the file is the one before or the one after, and what they left goes away.</summary>
public sealed class KilledSaveTests
{
    private const int Rounds = 25;
    private static readonly TimeSpan longest = TimeSpan.FromSeconds(60);
    private static readonly string[] kinds = ["model", "checkpoint", "weights"];

    [SlowFact]
    public void A_killed_save_leaves_the_old_file_or_the_new_one()
    {
        var random = new Random(20260);
        var left = 0;
        for (var round = 0; round < Rounds; round++)
        {
            using var folder = new TemporaryFolder();
            // three at once: most of the time goes into their start
            var children = kinds.Select(kind => (Kind: kind, Folder: Directory.CreateDirectory(folder.At(kind)).FullName)).Select(c =>
                (c.Kind, c.Folder, Process: ChildProcess.Start(typeof(KilledSaveTests), nameof(Child_that_saves), c.Folder))).ToList();
            foreach (var (kind, place, process) in children)
            {
                using var _ = process;
                var watch = Stopwatch.StartNew();
                while (!File.Exists(Path.Combine(place, kind)) && watch.Elapsed < longest && !process.HasExited) Thread.Sleep(5);
                Thread.Sleep(random.Next(60));
                process.HasExited.Should().BeFalse("it saves until it is killed");
                process.Kill();
                process.WaitForExit();
                left += Check(kind, place);
            }
        }
        left.Should().BeGreaterThan(5, "of {0} kills, most hit a save", Rounds * kinds.Length);
    }

    /// <summary>The child: all weights are 1, then all are 2, and so on, and each time it saves.</summary>
    [SlowFact]
    public void Child_that_saves()
    {
        if (ChildProcess.Folder is not { } folder) return;
        var kind = Path.GetFileName(folder);
        using var model = Model();
        using var trainer = new Trainer(model, new TrainingOptions { Epochs = 1 });
        for (var i = 0; ; i++)
        {
            using (no_grad())
                foreach (var weight in model.parameters()) weight.fill_(Value(i));
            Save(kind, Path.Combine(folder, kind), model, trainer);
        }
    }

    private static double Value(int i) => 0.001 * (1 + (i % 2));

    private static RealNvpModel Model() =>
        new(RealNvpOptions.Tabular(8, rows: 100_000) with { Base = BaseDensityKind.StandardNormal }, seed: 1);

    private static void Save(string kind, string path, RealNvpModel model, Trainer trainer)
    {
        if (kind == "model") model.Save(path);
        else if (kind == "checkpoint") trainer.SaveCheckpoint(path);
        else model.SaveWeights(path);
    }

    // the number of files that the kill left
    private static int Check(string kind, string folder)
    {
        using var scope = NewDisposeScope();
        var path = Path.Combine(folder, kind);
        using var model = Model();
        if (kind == "model")
            using (var loaded = RealNvpModel.Load(path)) Whole(loaded);
        else if (kind == "checkpoint") Trainer.Resume(path, model).Dispose();
        else model.LoadWeights(path);
        if (kind != "model") Whole(model);
        var others = Directory.GetFiles(folder).Where(f => f != path).ToArray();
        others.Length.Should().BeLessThanOrEqualTo(1);
        foreach (var other in others)
        {
            Path.GetFileName(other).Should().StartWith($".{kind}.").And.EndWith(".realnvp.tmp");
            File.SetLastWriteTimeUtc(other, DateTime.UtcNow.AddMinutes(-2));
        }
        using (var trainer = new Trainer(model, new TrainingOptions { Epochs = 1 })) Save(kind, path, model, trainer);
        Directory.GetFiles(folder).Should().Equal(path);
        return others.Length;
    }

    private static void Whole(Flow flow)
    {
        var values = flow.parameters().SelectMany(w => new[] { w.min().item<float>(), w.max().item<float>() }).Distinct().ToArray();
        values.Should().ContainSingle("one save wrote all weights");
        values[0].Should().BeOneOf((float)Value(0), (float)Value(1));
    }
}
