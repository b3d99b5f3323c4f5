using System.Reflection;
using System.Security.Cryptography;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>Training on several processes: what they must have in common, and what they decide together.</content>
public sealed partial class Trainer
{
    private Ranks? ranks;

    /// <summary>The least size of a part of the gradients that is summed while the backward pass goes on, in bytes.</summary>
    internal long BucketBytes { get; set; } = GradientBuckets.DefaultBytes;

    // whether this process writes files for all
    private bool Writes => ranks is not { Rank: > 0 };

    private bool OfFirst(bool own) => ranks is null ? own : ranks.OfFirst(own ? 1 : 0)[0] > 0;

    private void CheckShards(TrainingData data, TrainingData? validation)
    {
        foreach (var (given, name) in new[] { (data, nameof(data)), (validation, nameof(validation)) })
        {
            if (given is null || given is ShardData == Exchange is not null) continue;
            if (Exchange is { Size: 1 }) continue;
            throw new ArgumentException(Exchange is null
                ? $"{name} is the part of one process, but the trainer has no {nameof(Exchange)}, so it would train on that part alone. " +
                    $"Set {nameof(Trainer)}.{nameof(Exchange)}, or pass the whole data."
                : $"The trainer has an {nameof(Exchange)} with {Exchange.Size} processes, but {name} does not say which part this one " +
                    $"has. Pass {name}.{nameof(TrainingData.Shard)}(exchange) if each process has all data, or " +
                    $"{name}.{nameof(TrainingData.AsShard)}() if each has its own.", name);
        }
    }

    private TrainingResult FitTogether(TrainingData data, TrainingData? validation, IProgress<TrainingProgress>? progress,
        CancellationToken cancellationToken)
    {
        var all = new Ranks(Exchange!);
        TrainingData? train = null, held = null;
        using var use = new ExchangeUse(Exchange!);
        try
        {
            ranks = all;
            all.Begin();
            CompareVersions(all);
            all.Together(() => CheckShards(data, validation));
            all.Together(() => RankCheck.Modules(modules, Objective, Options, data.HasExamples && Objective.Traits.DataAreFlowInputs
                && state.Step == 0));
            Compare(all, data, validation);
            all.Broadcast(modules.State().Values.Concat(modules.Buffers.Select(b => b.Buffer)).Distinct());
            train = data is ShardData part ? part.Over(all) : data;
            held = validation is ShardData other ? other.Over(all) : validation;
            // known from here on, so that nobody need ask for it while others check something
            _ = (train.BatchesPerEpoch(Options.BatchSize), held?.BatchesPerEpoch(Options.BatchSize));
            if (held is ShardedBatches && flow.IsStochastic)
                throw all.Agreed(new NotSupportedException(
                    "Validation data of a loader are scored by each process on its own batches, and this flow draws noise for each " +
                    $"row, which would not be that of one process. Pass {nameof(TrainingData)}.{nameof(TrainingData.From)}(...)." +
                    $"{nameof(TrainingData.Shard)}(exchange)."));
            return FitData(train, held, progress, cancellationToken);
        }
        catch (Exception e)
        {
            all.Fail(e);
            throw;
        }
        finally
        {
            if (!ReferenceEquals(train, data)) train?.ReleaseSplit();
            if (!ReferenceEquals(held, validation)) held?.ReleaseSplit();
            ranks = null;
            all.End();
        }
    }

    // first of all, and in every version in this way: what comes after it may be another exchange in another version
    private static void CompareVersions(Ranks all)
    {
        var own = typeof(Trainer).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";
        all.Same(own, "version of the library", SameProgram);
    }

    private const string SameProgram = "Start all processes with the same program, options and files.";

    // what differs would train another model on each process, or leave one waiting for the others
    private void Compare(Ranks all, TrainingData data, TrainingData? validation)
    {
        if (all.Size == 1) return;
        foreach (var (name, text) in all.Together(() => Description(data, validation))) all.Same(text, name, SameProgram);
        foreach (var (given, name) in new[] { (data, nameof(data)), (validation, "validation data") })
        {
            var part = given as ShardData;
            all.Same(part?.MarkOfAll ?? "none", $"whole of {name}", $"Of data that are parted by {nameof(TrainingData.Shard)} each " +
                $"process has all, and keeps a part: read or make the same on all, by the same file or seed; or, if each process has " +
                $"data of its own, call {nameof(TrainingData.AsShard)}().");
            // all have the same kind, so all look
            if (part is { IsParted: false, Own: TensorData own }
                && all.Copies(own.Count > 1 ? own.Mark : null, "have the same examples") is { } found)
                Warn(found);
        }
    }

    private (string Name, string Text)[] Description(TrainingData data, TrainingData? validation)
    {
        using var scope = NewDisposeScope();
        static string Kind(TrainingData? of) => of is null ? "none" : (of as ShardData)?.Kind ?? "whole";
        var options = Options with { Schedule = OwnSchedule.InFile(Options.Schedule) };
        var metadata = flow.FileMetadata();
        return
        [
            ("record of options of the training", FileJson.Write(options)),
            ("flow", string.Join("; ", metadata.Where(m => m.Key is StateFile.OptionsKey or StateFile.KindKey)
                .OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => m.Value)
                .Concat(modules.State().Select(t => $"{t.Key} {EventShape.Format(t.Value.shape)} {t.Value.dtype}")))),
            ("choice of weights that are trained", string.Join(", ", modules.Parameters.Where(p => p.Parameter.requires_grad)
                .Select(p => p.Name))),
            ("objective", Objective.Name),
            ("optimizer", optimizer.Name),
            ("state of the training", $"step {state.Step}, epoch {state.Epoch}, batch {state.Batch}"),
            ("state of optimizer and averages", state.Step == 0 || !optimizer.CanSaveState ? "new" : Hash([.. optimizer.StateDict().Values,
                .. average?.LiveState().Values.ToArray() ?? [], .. best?.Tensors.Values.ToArray() ?? []])),
            ("kind of data", Kind(data)),
            ("kind of validation data", Kind(validation)),
        ];
    }

    private static string Hash(IEnumerable<Tensor> tensors)
    {
        using var sum = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var tensor in tensors)
        {
            using var scope = NewDisposeScope();
            using var copy = tensor.detach().FetchTensor().contiguous();
            sum.AppendData(copy.bytes);
        }
        return Convert.ToHexString(sum.GetHashAndReset())[..12];
    }

    // false if it was cancelled
    private bool FitLayersTogether(TrainingData data, CancellationToken cancellationToken)
    {
        if (ranks!.Gather(OwnRows(data) ?? 1) is var rows && Array.Exists(rows, r => r == 0))
            throw ranks.Agreed(new ArgumentException(
                $"Process {Array.IndexOf(rows, 0.0)} of {ranks.Size} has no example to train on: too few are left when some are held " +
                $"out. Use fewer processes, or more data.", nameof(data)));
        // one that stopped here alone would leave the others waiting
        FitLayersFirst(data, ranks.Size > 1 ? ranks : null, CancellationToken.None);
        return !ranks.Any(cancellationToken.IsCancellationRequested);
    }

    private static long? OwnRows(TrainingData data) => (data as ShardedTensors)?.OwnCount;

    // each step begins with what the processes have for it; null: the epoch went to its end
    private StopReason? RunEpochTogether(TrainingRun run, StepLoop loop, CancellationToken cancellationToken)
    {
        run.Start(state.Seconds);
        var group = ranks!;
        using var batches = run.Train.Batches(Options.BatchSize, StepSeeds.OfOrder(Options.Seed, state.Epoch), state.Batch).GetEnumerator();
        TrainingBatch? spare = null;
        var isFirst = true;
        try
        {
            while (true)
            {
                var there = batches.MoveNext();
                using var given = there ? ExampleWeights.Counting(batches.Current, $"Epoch {state.Epoch + 1}, step {loop.Taken + 1}")
                    : null;
                if (isFirst && group.Size > 1 && (run.Train as ShardedBatches)?.Look(given) is { } found) Warn(found);
                isFirst = false;
                if (given is not null) spare ??= Spare(given);
                var rows = given is null or { Share.Counts: false } ? 0 : given.Count;
                var said = Say(group, given, rows, there, cancellationToken.IsCancellationRequested, run.TimeIsUp);
                if (said.Cancelled || said.TimeIsUp) return said.Cancelled ? StopReason.Cancelled : StopReason.TimeLimit;
                if (!said.Goes) break;
                using var batch = Shared(given, spare, group, said, rows);
                loop.Take(batch);
                run.KeepRows(Objective.Traits.DataAreFlowInputs && batch.HasExamples ? batch : null);
                if (StepsDone(loop.Taken)) break;
            }
        }
        finally { spare?.Dispose(); }
        if (state.Examples == 0)
            throw group.Agreed(new ArgumentException(
                "No process had a batch in this epoch. Pass sequences that can be enumerated again for each epoch."));
        return null;
    }

    private readonly record struct Said(double[] Rows)
    {
        public double Weight { get; init; }

        public bool IsWeighted { get; init; }

        public bool Goes { get; init; }

        public bool Cancelled { get; init; }

        public bool TimeIsUp { get; init; }
    }

    private static Said Say(Ranks group, TrainingBatch? given, long rows, bool there, bool cancelled, bool timeIsUp)
    {
        using var scope = NewDisposeScope();
        var weight = rows > 0 && given is not null ? BatchLoss.Weight(given)?.FetchDouble() : null;
        var own = new double[group.Size + 5];
        own[group.Rank] = rows;
        double[] more = [weight ?? rows, weight is null ? 0 : 1, there ? 1 : 0, cancelled ? 1 : 0, timeIsUp ? 1 : 0];
        more.CopyTo(own, group.Size);
        var sum = group.Sum(own);
        var at = group.Size;
        return new Said(sum[..at]) { Weight = sum[at], IsWeighted = sum[at + 1] > 0, Goes = sum[at + 2] > 0, Cancelled = sum[at + 3] > 0,
            TimeIsUp = sum[at + 4] > 0 };
    }

    // one row of this process, for steps in which it has none
    private static TrainingBatch Spare(TrainingBatch of)
    {
        using var _ = no_grad();
        return of.Map(all => all.narrow(0, 0, 1).clone());
    }

    // the batch with its rows' places; batches of loaders stand one after another, in the order of the processes
    private static TrainingBatch Shared(TrainingBatch? given, TrainingBatch? spare, Ranks group, Said said, long rows)
    {
        var from = given ?? spare ?? throw new ArgumentException(
            $"Process {group.Rank} of {group.Size} had no batch in this epoch, while others have. Give each at least one.");
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var total = (long)said.Rows.Sum();
        var places = given?.Share is { Counts: true } known ? known.Places.clone()
            : rows == 0 ? zeros(1, ScalarType.Int64, CPU) : Scalars.Range(rows, CPU, (long)said.Rows.Take(group.Rank).Sum());
        var share = new RowShare(scope.Detach(places), total, rows > 0) { Weight = said.Weight, IsWeighted = said.IsWeighted };
        return from.Map(all => rows == 0 ? all.narrow(0, 0, 1) : all.alias(), share);
    }

    private ObjectiveScore ValidateTogether(Ranks group, TrainingData validation)
    {
        var own = group.Together(() => OwnRows(validation) == 0
            ? new ObjectiveScore { Loss = 0, Weight = 0, InfiniteCount = 0, FiniteWeight = 0 } : Score(validation));
        // an infinite loss is none of a sum: it is counted beside the others
        var infinite = double.IsPositiveInfinity(own.Loss);
        var finiteWeight = own.FiniteWeight
            ?? (!infinite ? own.Weight : own.FiniteLoss is null ? 0 : own.Weight - (own.InfiniteCount ?? 0));
        var finiteLoss = infinite ? own.FiniteLoss ?? 0 : own.Loss;
        var sum = group.Sum(own.Weight, finiteWeight, finiteLoss * finiteWeight, infinite ? 1 : 0, own.InfiniteCount ?? 0,
            own.InfiniteCount is not null ? 0 : 1);
        var byExample = sum[5] == 0;
        // what is compared must be the same number on all, whatever an exchange rounds
        var mean = group.OfFirst(sum[1] > 0 ? sum[2] / sum[1] : double.PositiveInfinity)[0];
        return new ObjectiveScore
        {
            Loss = sum[3] > 0 ? double.PositiveInfinity : mean,
            Weight = sum[0],
            InfiniteCount = byExample ? (long)sum[4] : null,
            FiniteLoss = byExample && sum[1] > 0 ? mean : null,
            FiniteWeight = sum[1],
        };
    }
}
