using System.Diagnostics;
using System.Globalization;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Serialization;

/// <summary>
/// 2,000 damaged and forged files of every preset, of checkpoints and of weights are loaded in
/// child processes. Each is refused with its reason, or it loads; a damaged one only if nothing of
/// it was changed. Nothing ends a process, takes long, or takes memory that the file does not have.
/// </summary>
public sealed class MutatedFileTests
{
    private const int Batch = 340, OfAModel = 50, OfACheckpoint = 130, OfWeights = 60, MostMegabytes = 150, LongestMessage = 2000;
    private static readonly TimeSpan longest = TimeSpan.FromSeconds(20);

    [SlowFact]
    public void Two_thousand_mutated_files_are_refused_or_right()
    {
        using var folder = new TemporaryFolder();
        var count = Write(folder.Path);
        count.Should().BeGreaterThanOrEqualTo(2000);
        List<string> faults = [];
        string[][] lines = [];
        while (lines.Length < count)
        {
            using var process = ChildProcess.Start(typeof(MutatedFileTests), nameof(Child_that_loads), folder.Path);
            var watch = Stopwatch.StartNew();
            var seen = -1L;
            while (!process.WaitForExit(200))
            {
                var size = File.Exists(folder.At("progress")) ? new FileInfo(folder.At("progress")).Length : 0;
                if (size != seen) (seen, watch) = (size, Stopwatch.StartNew());
                else if (watch.Elapsed > 2 * longest) process.Kill();
            }
            var before = lines.Length;
            lines = [.. File.ReadAllLines(folder.At("progress")).Select(l => l.Split('\t'))];
            if (lines.Length == before) throw new InvalidOperationException("The child process ended before its first file.");
            if (lines[^1].Length > 1) continue;
            faults.Add($"{lines[^1][0]}: ended the process ({process.ExitCode})");
            File.AppendAllText(folder.At("progress"), "\tended\n");
        }
        faults.AddRange(lines.Where(l => l is [_, not "", ..] && l[1] != "ended").Select(l => string.Join(' ', l)));
        var report = Environment.GetEnvironmentVariable("REALNVP_FILES_REPORT");
        if (report is not null) File.WriteAllLines(report, faults.Concat(lines.Select(l => string.Join('\t', l))));
        faults.Should().BeEmpty();
        lines.Count(l => l is [_, _, "refused", ..]).Should().BeGreaterThan(count / 2);
        lines.Count(l => l is [_, _, "loaded", ..]).Should().BeGreaterThan(count / 50, "some changes are allowed");
    }

    /// <summary>The child: it loads the files behind the last one that was begun, and writes of each what happened.</summary>
    [SlowFact]
    public void Child_that_loads()
    {
        if (ChildProcess.Folder is not { } folder) return;
        var progress = Path.Combine(folder, "progress");
        var done = File.Exists(progress) ? File.ReadAllLines(progress).Length : 0;
        using var writer = new StreamWriter(progress, append: true) { AutoFlush = true };
        // what is loaded once for all is not a file's fault
        using (FlowModel.Load(Path.Combine(folder, "good", "Toy2D"))) { }
        foreach (var path in Directory.GetFiles(Path.Combine(folder, "files")).Order(StringComparer.Ordinal).Skip(done).Take(Batch))
        {
            writer.Write(Path.GetFileName(path));
            var watch = Stopwatch.StartNew();
            var (fault, outcome) = ("", "");
            var peak = ResidentMemory.PeakGrowth(() => (fault, outcome) = Try(path, folder));
            if (watch.Elapsed > longest) fault += $" took {watch.Elapsed}";
            if (peak > MostMegabytes << 20) fault += $" took {peak >> 20} MB";
            writer.WriteLine($"\t{fault}\t{outcome}\t{watch.ElapsedMilliseconds} ms\t{peak >> 20} MB");
        }
    }

    private static (string Fault, string Outcome) Try(string path, string folder)
    {
        // 0123~base~damaged~kind
        var parts = Path.GetFileName(path).Split('~');
        var good = Path.Combine(folder, "good", parts[1]);
        using var scope = NewDisposeScope();
        Flow? flow = null;
        try
        {
            flow = Load(parts[1], path);
            using var original = Load(parts[1], good);
            var same = Same(flow, original);
            if (parts[2] == "damaged" && !same) return ("a change was loaded in silence", "loaded");
            return (Sanity(flow, same), "loaded");
        }
        catch (InvalidDataException e)
        {
            var bad = e.Message.Length > LongestMessage ? $"a message of {e.Message.Length} characters" : e.Message.Any(char.IsControl)
                ? "control characters in the message" : !e.Message.Contains(path, StringComparison.Ordinal)
                ? "the message does not name the file" : "";
            var text = e.Message[..Math.Min(e.Message.Length, 300)];
            return (bad.Length == 0 ? "" : $"{bad}: {string.Concat(text.Select(c => char.IsControl(c) ? '?' : c))}", "refused");
        }
        catch (Exception e)
        {
            return ($"{e.GetType().Name}: {e.Message.ReplaceLineEndings(" ").Replace('\t', ' ')} " +
                $"{e.StackTrace?.Split('\n').FirstOrDefault(l => l.Contains("RealNvp.", StringComparison.Ordinal))?.Trim()}", "failed");
        }
        finally { flow?.Dispose(); }
    }

    private static Flow Load(string name, string path)
    {
        if (name.StartsWith("weights", StringComparison.Ordinal))
        {
            var flow = Composed();
            try { flow.LoadWeights(path); }
            catch
            {
                flow.Dispose();
                throw;
            }
            return flow;
        }
        if (!name.StartsWith("checkpoint", StringComparison.Ordinal)) return FlowModel.Load(path);
        using var trainer = Trainer.Resume(path);
        trainer.Flow.eval();
        return trainer.Flow;
    }

    private static bool Same(Flow flow, Flow original)
    {
        if (flow is FlowModel a && original is FlowModel b && (a.GetName() != b.GetName() || a.ModelOptions != b.ModelOptions))
            return false;
        var (one, other) = (flow.state_dict(), original.state_dict());
        return one.Count == other.Count && one.All(t => other.TryGetValue(t.Key, out var o) && t.Value.dtype == o.dtype
            && t.Value.shape.AsSpan().SequenceEqual(o.shape) && t.Value.eq(o).all().item<bool>());
    }

    // a forged model may overflow, which has a name; but it never gives NaN, nor ends in raw text
    private static string Sanity(Flow flow, bool same)
    {
        if (flow.InputShape.NumElements > 4096) return "";
        try
        {
            using var _ = no_grad();
            var context = flow.ContextSize > 0 ? zeros(4, flow.ContextSize) : null;
            // with contexts, one sample of each
            var (x, logProb) = flow.SampleAndLogProb(context is null ? 4 : 1, context: context, seed: 1);
            if (context is not null) (x, logProb) = (x.flatten(0, 1), logProb.flatten());
            if (x.isnan().any().item<bool>() || logProb.isnan().any().item<bool>()) return "samples or log-probabilities are NaN";
            if (!same || flow.IsStochastic) return "";
            var again = flow.LogProb(x, context);
            return again.sub(logProb).abs().le(logProb.abs().mul(1e-3).add(1e-2)).all().item<bool>() ? ""
                : "samples and log-probabilities do not agree";
        }
        catch (Exception e) when (e is NonFiniteException || (e is ArgumentException && !same)) { return ""; }
    }

    private static int Write(string folder)
    {
        var (good, files) = (Directory.CreateDirectory(Path.Combine(folder, "good")).FullName,
            Directory.CreateDirectory(Path.Combine(folder, "files")).FullName);
        var written = 0;
        void Mutate(string name, int count)
        {
            var mutations = new FileMutations(File.ReadAllBytes(Path.Combine(good, name)), seed: 1000 + written);
            for (var i = 0; i < count; i++)
            {
                var (kind, forged, bytes) = mutations.Next();
                File.WriteAllBytes(Path.Combine(files, string.Create(CultureInfo.InvariantCulture,
                    $"{written++:0000}~{name}~{(forged ? "forged" : "damaged")}~{kind}")), bytes);
            }
        }
        foreach (var (name, options) in PresetTable.All)
        {
            using (var model = options.NewModel()) model.Save(Path.Combine(good, name));
            Mutate(name, OfAModel);
        }
        ModelOptions[] trained = [RealNvpOptions.Toy2D with { Layers = 2, Hidden = 8 }, RealNvpOptions.Tabular(3) with { Layers = 3,
            Hidden = 8, FlowBatchNorm = true }, SplineFlowOptions.Toy2D with { Layers = 2, Hidden = 8 }];
        foreach (var options in trained)
        {
            var name = $"checkpoint{written}";
            using var scope = NewDisposeScope();
            using var model = options.NewModel();
            using (var trainer = new Trainer(model, new TrainingOptions { Epochs = 2, BatchSize = 16, ValidationFraction = 0.25,
                    CheckpointPath = Path.Combine(good, name) }))
                trainer.Fit(TrainingData.From(randn(96, options.Shape[0])));
            Mutate(name, OfACheckpoint);
        }
        using (var flow = Composed()) flow.SaveWeights(Path.Combine(good, "weights"));
        Mutate("weights", OfWeights);
        return written;
    }

    private static Flow Composed()
    {
        var mask = Mask.Alternating(3);
        return new Flow([3], new Chain([new ActNorm([3]), new CouplingLayer([3], mask, new SplineTransformer(4),
            size => new Mlp(size.Inputs, size.Outputs, 8)), new InvertibleLinearLayer([3]), new FlowBatchNorm([3])]), new StudentT([3]));
    }
}
