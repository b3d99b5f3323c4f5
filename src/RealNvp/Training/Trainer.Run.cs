using RealNvp.Internal;

namespace RealNvp;

/// <content>One call of <see cref="Fit"/>, from what is checked before it to its result.</content>
public sealed partial class Trainer
{
    private TrainingResult FitData(TrainingData data, TrainingData? validation, IProgress<TrainingProgress>? progress,
        CancellationToken cancellationToken)
    {
        var (train, held, source) = ranks is null ? Part(data, validation) : ranks.Together(() => Part(data, validation));
        var begun = FlowMetrics.BeginTraining();
        try
        {
            var result = FitParts(train, held, source, progress, cancellationToken);
            FlowMetrics.EndTraining(begun, flow, result.Reason switch
            {
                StopReason.EarlyStopped => "early_stopped",
                StopReason.Cancelled => "cancelled",
                StopReason.TimeLimit => "time_limit",
                _ => "finished",
            });
            return result;
        }
        catch (Exception e) when (FlowMetrics.FailedTraining(begun, flow, e)) { throw; }
        finally
        {
            if (!ReferenceEquals(train, data))
            {
                train.ReleaseSplit();
                held?.ReleaseSplit();
            }
        }
    }

    private TrainingResult FitParts(TrainingData data, TrainingData? validation, ValidationSource source,
        IProgress<TrainingProgress>? progress, CancellationToken cancellationToken)
    {
        if (ranks is null) CheckBefore(data, validation);
        else ranks.Together(() => CheckBefore(data, validation));
        Recognize(data);
        foreach (var warning in flow.FileWarnings) Warn(warning);
        if (state.Step == 0)
        {
            var isFitted = ranks is null ? FitLayersAlone(data, cancellationToken) : FitLayersTogether(data, cancellationToken);
            if (!isFitted) return Result(source, HeldOut(source, validation), StopReason.Cancelled);
            average?.Restart();
        }

        FillIn(validation, source);
        using var run = new TrainingRun(Clock, Options.MaxDuration)
        {
            Train = data,
            Validation = validation,
            Source = source,
            Progress = ranks is { Rank: > 0 } ? null : progress,
            Batches = Batches(data),
            TotalSteps = TotalSteps(data),
            HeldOut = HeldOut(source, validation),
        };
        using var loop = new StepLoop(modules, Objective, optimizer, average, Options, state, run, ranks is null ? limits : null)
        {
            Hook = AfterBackward,
            Ranks = ranks,
            BucketBytes = BucketBytes,
        };
        // a checkpoint may be of the end of a training that stopped early
        var reason = run.Validation is not null && state.EpochsWithoutGain >= Options.Patience ? StopReason.EarlyStopped
            : StopReason.Finished;
        modules.Train();
        var reversible = modules.Flows.Select(f => (Flow: f, Before: f.ReversibleTraining)).ToArray();
        try
        {
            running = true;
            if (Options.Reversible) foreach (var (trained, _) in reversible) trained.ReversibleTraining = true;
            while (state.Epoch < Options.Epochs && !StepsDone(loop.Taken) && reason == StopReason.Finished)
                reason = (ranks is null ? RunEpoch(run, loop, cancellationToken) : RunEpochTogether(run, loop, cancellationToken))
                    ?? (EndEpoch(run) ? StopReason.EarlyStopped : StopReason.Finished);
            if (reason is StopReason.Cancelled or StopReason.TimeLimit && Options.CheckpointPath is { } path && Writes)
                SaveCheckpoint(path);
            // after the checkpoint, so that a resumed training does not know of it
            if (reason == StopReason.TimeLimit && state.Examples > 0) EndPart(run);
            if (reason is StopReason.Finished or StopReason.EarlyStopped) ProbeSlowInverse(run);
        }
        finally
        {
            loop.SettleQuietly();
            foreach (var (_, parameter) in modules.Parameters) if (parameter.requires_grad) parameter.grad = null;
            foreach (var (trained, before) in reversible) trained.ReversibleTraining = before;
            modules.Evaluate();
            running = false;
        }
        if (ranks is not null) state.Warnings = Once(ranks.Union(state.Warnings));
        Finish();
        Describe(data, validation);
        return Result(source, run.HeldOut, reason);
    }

    // each process tries the inverse on its own examples: one that cannot be undone is told of once
    private static IReadOnlyList<string> Once(IReadOnlyList<string> warnings)
    {
        var first = warnings.FirstOrDefault(RoundTrip.IsWarning);
        return [.. warnings.Where(w => w == first || !RoundTrip.IsWarning(w))];
    }

    private void CheckBefore(TrainingData data, TrainingData? validation)
    {
        CheckFits(data, nameof(data));
        if (validation is not null) CheckFits(validation, nameof(validation));
        if (Options.CheckpointPath is not null && !optimizer.CanSaveState)
            throw new ArgumentException(
                $"{nameof(TrainingOptions)}.{nameof(TrainingOptions.CheckpointPath)} is set, but the optimizer {optimizer.Name} cannot " +
                $"save its state ({nameof(IOptimizer)}.{nameof(IOptimizer.CanSaveState)}), so a training could not be resumed. Take " +
                $"another optimizer, or set the path to null.", nameof(data));
        // process 0 writes for all
        if (Writes && Options.CheckpointPath is { } place && Directory.Exists(place))
            throw new ArgumentException(
                $"{nameof(TrainingOptions)}.{nameof(TrainingOptions.CheckpointPath)} is a folder, {Path.GetFullPath(place)}. Give the " +
                $"path of a file in it.", nameof(data));
        if (Writes && Options.CheckpointPath is { } file && Path.GetDirectoryName(Path.GetFullPath(file)) is { } folder
            && !Directory.Exists(folder))
            throw new DirectoryNotFoundException(
                $"The folder of {nameof(TrainingOptions.CheckpointPath)}, {folder}, does not exist. Create it before training.");
        if (Writes && Options.CheckpointPath is { } target) PathCheck.Replaceable(target);
        var batches = Batches(data);
        if (batches > 0 && state.Batch > batches)
            throw new ArgumentException(
                $"The checkpoint has done {state.Batch} batches of its epoch, but these data have {batches}. Resume with the data that " +
                $"the training began with.", nameof(data));
        if (batches == 0 && Options.MaxSteps is null && Options.Schedule.NeedsTotalSteps)
            throw new ArgumentException(
                $"The {Options.Schedule.GetType().Name.Replace("Schedule", " schedule", StringComparison.Ordinal).ToLowerInvariant()} " +
                $"needs the number of steps, but the data loader does not tell how many batches it has. Pass it to " +
                $"{nameof(TrainingData)}.{nameof(TrainingData.FromBatches)}, or set {nameof(TrainingOptions.MaxSteps)}.", nameof(data));
    }
}
