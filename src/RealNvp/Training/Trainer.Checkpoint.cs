using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class Trainer
{
    /// <summary>Writes weights, options, optimizer, averages, counters and
    /// torch's random state to one file, replaced in one step.</summary>
    /// <param name="path">The file, usually <c>*.safetensors</c>.</param>
    /// <exception cref="ObjectDisposedException">The trainer, the flow or a
    /// part of it is disposed; a file that is there stays as it is.</exception>
    /// <exception cref="InvalidOperationException">The training has ended.</exception>
    public void SaveCheckpoint(string path) => SaveCheckpoint(new SafeTensorsTarget(path));

    /// <summary>Writes the same to a stream, such as one to a blob storage.</summary>
    /// <param name="stream">Where to write; it need not be seekable, and is flushed and left open.</param>
    /// <exception cref="ArgumentException">The stream is closed or cannot be written. Nothing was written.</exception>
    /// <exception cref="ObjectDisposedException">The trainer, the flow or a part of it is disposed. Nothing was written.</exception>
    /// <exception cref="InvalidOperationException">The training has ended.</exception>
    public void SaveCheckpoint(Stream stream) => SaveCheckpoint(new SafeTensorsTarget(stream));

    private void SaveCheckpoint(SafeTensorsTarget target)
    {
        if (finished)
            throw new InvalidOperationException(
                "This training has ended, so its checkpoint would hold other weights than the optimizer's. Save the model instead.");
        ObjectDisposedException.ThrowIf(disposed, this);
        if (!optimizer.CanSaveState)
            throw new InvalidOperationException(
                $"The optimizer {optimizer.Name} cannot save its state ({nameof(IOptimizer)}.{nameof(IOptimizer.CanSaveState)}), so a " +
                $"training could not be resumed. Take another optimizer.");
        modules.CheckAlive();
        using var scope = NewDisposeScope();
        var metadata = TrainerFile.Metadata(flow, Objective, optimizer, Options, state);
        if (dataMark is not null) metadata[TrainerFile.DataKey] = dataMark;
        Identity?.Write(metadata);
        SafeTensors.Save(target, TrainerFile.Tensors(modules, optimizer, average, best), metadata);
    }

    /// <summary>Goes on with a training from its checkpoint: builds the model,
    /// and continues to the same losses as if it had never stopped.</summary>
    /// <remarks>Torch's default random state is put back too, for networks of your own that draw from it.</remarks>
    /// <param name="path">A file that <c>SaveCheckpoint</c> wrote for a <see cref="FlowModel"/>.</param>
    /// <param name="device">Where to train; null for the CPU.</param>
    /// <param name="change">
    /// Changes the options of the training, for example to add epochs; null keeps them. They come with <paramref name="path"/> as
    /// <see cref="TrainingOptions.CheckpointPath"/>: further checkpoints replace this one, unless it says another path, or null for none.
    /// </param>
    /// <param name="parts">The objective and the optimizer of the training, which
    /// are code and so in no file; null for maximum likelihood by Adam.</param>
    /// <returns>The trainer, and with it, as <see cref="Flow"/>, the model. The caller disposes both.</returns>
    /// <exception cref="InvalidDataException">The file is damaged, or is no
    /// checkpoint of a training by this objective and optimizer.</exception>
    public static Trainer Resume(string path, Device? device = null, Func<TrainingOptions, TrainingOptions>? change = null,
        TrainerParts? parts = null) =>
        ResumeModel(() => SafeTensorsReader.Open(path), path, device, change, parts);

    /// <summary>As for a file; the checkpoint comes from a stream.</summary>
    /// <param name="stream">Stands at the first byte of the checkpoint. It need not be
    /// seekable, is read up to the checkpoint's last byte, and is left open.</param>
    /// <param name="device">Where to train; null for the CPU.</param>
    /// <param name="change">Changes the options of the training; null keeps them. They come without a
    /// <see cref="TrainingOptions.CheckpointPath"/>: no further checkpoint is written unless it gives one.</param>
    /// <param name="parts">The objective and the optimizer of the training; null for maximum likelihood by Adam.</param>
    /// <returns>The trainer, and with it, as <see cref="Flow"/>, the model. The caller disposes both.</returns>
    /// <exception cref="InvalidDataException">The checkpoint is damaged or cut off, or is none of a training.</exception>
    /// <exception cref="ArgumentException">The stream is closed or cannot be read.</exception>
    public static Trainer Resume(Stream stream, Device? device = null, Func<TrainingOptions, TrainingOptions>? change = null,
        TrainerParts? parts = null) =>
        ResumeModel(() => SafeTensorsReader.Of(stream), null, device, change, parts);

    /// <summary>Goes on with a training of a flow that you built yourself.</summary>
    /// <param name="path">A file that <c>SaveCheckpoint</c> wrote for a flow with the same weights.</param>
    /// <param name="flow">The flow; its weights are replaced by those in the file. If this throws, it is as it was.</param>
    /// <param name="change">Changes the options of the training, which come with <paramref name="path"/> as
    /// <see cref="TrainingOptions.CheckpointPath"/>; null keeps them.</param>
    /// <param name="parts">The objective and the optimizer of the training; null for maximum likelihood by Adam.</param>
    /// <exception cref="InvalidDataException">The file is damaged, is no checkpoint of a training, or does not fit the flow.</exception>
    public static Trainer Resume(string path, Flow flow, Func<TrainingOptions, TrainingOptions>? change = null,
        TrainerParts? parts = null) =>
        ResumeFlow(() => SafeTensorsReader.Open(path), path, flow, change, parts);

    /// <summary>As for a file; the checkpoint comes from a stream.</summary>
    /// <param name="stream">Stands at the first byte of the checkpoint. It need not be
    /// seekable, is read up to the checkpoint's last byte, and is left open.</param>
    /// <param name="flow">The flow; its weights are replaced by those in the checkpoint. If this throws, it is as it was.</param>
    /// <param name="change">Changes the options of the training, which come without
    /// a <see cref="TrainingOptions.CheckpointPath"/>; null keeps them.</param>
    /// <param name="parts">The objective and the optimizer of the training; null for maximum likelihood by Adam.</param>
    /// <exception cref="InvalidDataException">The checkpoint is damaged or cut
    /// off, is none of a training, or does not fit the flow.</exception>
    /// <exception cref="ArgumentException">The stream is closed or cannot be read.</exception>
    public static Trainer Resume(Stream stream, Flow flow, Func<TrainingOptions, TrainingOptions>? change = null,
        TrainerParts? parts = null) =>
        ResumeFlow(() => SafeTensorsReader.Of(stream), null, flow, change, parts);

    private static Trainer ResumeModel(Func<SafeTensorsReader> open, string? path, Device? device,
        Func<TrainingOptions, TrainingOptions>? change, TrainerParts? parts)
    {
        Internal.Check.Available(device, nameof(device));
        using var file = StateFile.Open(open);
        var model = ModelFile.Build(file);
        try
        {
            if (device is not null) model.to(device);
            return Resume(path, file, model, change, parts ?? new TrainerParts());
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static Trainer ResumeFlow(Func<SafeTensorsReader> open, string? path, Flow flow, Func<TrainingOptions, TrainingOptions>? change,
        TrainerParts? parts)
    {
        ArgumentNullException.ThrowIfNull(flow);
        flow.CheckAlive();
        using var file = StateFile.Open(open);
        return Resume(path, file, flow, change, parts ?? new TrainerParts());
    }

    // all sections of the file are checked before the first number of the flow is changed
    private static Trainer Resume(string? path, SafeTensorsFile file, Flow flow, Func<TrainingOptions, TrainingOptions>? change,
        TrainerParts parts)
    {
        var name = file.Name;
        if (!file.Metadata.TryGetValue(StateFile.TrainingKey, out var training)
            || !file.Metadata.TryGetValue(StateFile.StateKey, out var json))
            throw new InvalidDataException(
                $"{name} holds a model but no state of a training. Load it with {nameof(FlowModel)}.{nameof(FlowModel.Load)} and make a " +
                $"new trainer.");
        var version = StateFile.VersionOf(file.Metadata, name);
        var namedPath = false;
        var options = StateFile.Naming(name, () => TrainerState.Read<TrainingOptions>(training, version,
            member => namedPath |= member == nameof(TrainingOptions.CheckpointPath))) with { CheckpointPath = path };
        var state = StateFile.Naming(name, () =>
        {
            var read = TrainerState.Read<TrainerState>(json, version);
            read.Check();
            read.Warnings = [.. read.Warnings.Select(FileText.Paragraph)];
            return read;
        });
        try { _ = options.Validate(options); }
        catch (ArgumentException e) { throw new InvalidDataException($"{name} has training options that are not valid: {e.Message}", e); }
        TrainerFile.CheckObjective(file, parts.Objective);
        var moments = TrainerFile.Moments(file);
        var random = TrainerFile.RandomState(file);
        using var weights = new FileState(flow, file, StateFile.ModelPrefix);
        using var bestWeights = FileState.HasSection(file, StateFile.BestPrefix) ? new FileState(flow, file, StateFile.BestPrefix) : null;
        if (bestWeights is not null && state.BestEpoch is null)
            throw new InvalidDataException($"{name} is damaged: it has best weights, but {nameof(TrainerState.BestEpoch)} is null.");
        // a training that did not average may begin to
        var begins = options.AverageDecay is null;
        var inFile = options;
        if (change is not null) options = change(options);
        TrainerFile.CheckSchedule(file, options);
        var trainer = new Trainer(flow, parts.Objective, options, parts.Optimizer, null, inFile)
        {
            state = state, dataMark = file.Metadata.GetValueOrDefault(TrainerFile.DataKey),
        };
        try
        {
            foreach (var broken in options.Validate(inFile)) trainer.Warn(broken);
            if (namedPath)
                trainer.Warn($"The checkpoint is of an older version, which held the path of further checkpoints. A path in a file is " +
                    $"not used: they go to {trainer.Options.CheckpointPath ?? "no file"}.");
            TrainerFile.CheckOptimizer(file, trainer.optimizer);
            trainer.TakeOver(file, weights, bestWeights, moments, begins);
            if (random is not null) set_rng_state(random);
            return trainer;
        }
        catch (ArgumentException e)
        {
            trainer.Dispose();
            throw new InvalidDataException($"{name} is damaged: {FileText.Sentence(e.Message)}", e);
        }
        catch
        {
            trainer.Dispose();
            throw;
        }
    }

    private void TakeOver(SafeTensorsFile file, FileState weights, FileState? bestWeights, Dictionary<string, Tensor> moments,
        bool beginsAverage)
    {
        var others = TrainerFile.Others(file, modules, StateFile.ModelPrefix);
        var bestOthers = new List<(string Name, FileState State)>();
        try
        {
            if (bestWeights is not null) bestOthers = TrainerFile.Others(file, modules, StateFile.BestPrefix);
            optimizer.LoadStateDict(moments);
            if (!beginsAverage) average?.LoadStateDict(TrainerFile.Averages(file, modules, weights.Averages(file)));
            if (bestWeights is not null)
                best = new StateSnapshot(bestWeights.Tensors.Concat(bestOthers.SelectMany(o =>
                    o.State.Tensors.Select(t => KeyValuePair.Create($"{TrainedModules.Beside}{o.Name}/{t.Key}", t.Value)))));
            weights.CopyToModule();
            foreach (var (_, state) in others) state.CopyToModule();
            if (beginsAverage) average?.Restart();
        }
        finally
        {
            foreach (var (_, state) in others.Concat(bestOthers)) state.Dispose();
        }
    }
}
