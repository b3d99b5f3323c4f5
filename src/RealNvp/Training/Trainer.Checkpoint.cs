using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class Trainer
{
    /// <summary>Writes weights, options, optimizer, averages, counters and torch's random state to one file, replaced in one step.</summary>
    /// <param name="path">The file, usually <c>*.safetensors</c>.</param>
    /// <exception cref="ObjectDisposedException">The trainer, the flow or a part of it is disposed; a file that is there stays as it is.</exception>
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
        if (finished) throw new InvalidOperationException("This training has ended, so its checkpoint would hold other weights than the optimizer's. Save the model instead.");
        ObjectDisposedException.ThrowIf(disposed, this);
        using var scope = NewDisposeScope();
        var tensors = new Dictionary<string, Tensor>(ModelFile.Prefixed(ModelFile.ModelPrefix, flow.LivingState()));
        void Add(string prefix, IEnumerable<KeyValuePair<string, Tensor>> section)
        {
            foreach (var (name, tensor) in ModelFile.Prefixed(prefix, section)) tensors.Add(name, tensor);
        }
        Add(ModelFile.OptimizerPrefix, optimizer.StateDict());
        if (average is not null) Add(ModelFile.AveragePrefix, average.StateDict());
        if (best is not null) Add(ModelFile.BestPrefix, best.Tensors);
        Add(ModelFile.RandomPrefix, [KeyValuePair.Create("default", get_rng_state())]);
        var metadata = ModelFile.Metadata(flow);
        metadata[ModelFile.TrainingKey] = FileJson.Write(Options);
        metadata[ModelFile.StateKey] = state.ToJson();
        SafeTensors.Save(target, tensors, metadata);
    }

    /// <summary>Goes on with a training from its checkpoint: builds the model, and continues to the same losses as if it had never stopped.</summary>
    /// <remarks>Torch's default random state is put back too, for networks of your own that draw from it.</remarks>
    /// <param name="path">A file that <c>SaveCheckpoint</c> wrote for a <see cref="FlowModel"/>.</param>
    /// <param name="device">Where to train; null for the CPU.</param>
    /// <param name="change">
    /// Changes the options of the training, for example to add epochs; null keeps them. They come with <paramref name="path"/> as
    /// <see cref="TrainingOptions.CheckpointPath"/>: further checkpoints replace this one, unless it says another path, or null for none.
    /// </param>
    /// <returns>The trainer, and with it, as <see cref="Flow"/>, the model. The caller disposes both.</returns>
    /// <exception cref="InvalidDataException">The file is damaged, or is no checkpoint of a training.</exception>
    public static Trainer Resume(string path, Device? device = null, Func<TrainingOptions, TrainingOptions>? change = null) =>
        ResumeModel(() => SafeTensorsReader.Open(path), path, device, change);

    /// <summary>As for a file; the checkpoint comes from a stream.</summary>
    /// <param name="stream">Stands at the first byte of the checkpoint. It need not be seekable, is read up to the checkpoint's last byte, and is left open.</param>
    /// <param name="device">Where to train; null for the CPU.</param>
    /// <param name="change">Changes the options of the training; null keeps them. They come without a <see cref="TrainingOptions.CheckpointPath"/>: no further checkpoint is written unless it gives one.</param>
    /// <returns>The trainer, and with it, as <see cref="Flow"/>, the model. The caller disposes both.</returns>
    /// <exception cref="InvalidDataException">The checkpoint is damaged or cut off, or is none of a training.</exception>
    /// <exception cref="ArgumentException">The stream is closed or cannot be read.</exception>
    public static Trainer Resume(Stream stream, Device? device = null, Func<TrainingOptions, TrainingOptions>? change = null) =>
        ResumeModel(() => SafeTensorsReader.Of(stream), null, device, change);

    /// <summary>Goes on with a training of a flow that you built yourself.</summary>
    /// <param name="path">A file that <c>SaveCheckpoint</c> wrote for a flow with the same weights.</param>
    /// <param name="flow">The flow; its weights are replaced by those in the file. If this throws, it is as it was.</param>
    /// <param name="change">Changes the options of the training, which come with <paramref name="path"/> as <see cref="TrainingOptions.CheckpointPath"/>; null keeps them.</param>
    /// <exception cref="InvalidDataException">The file is damaged, is no checkpoint of a training, or does not fit the flow.</exception>
    public static Trainer Resume(string path, Flow flow, Func<TrainingOptions, TrainingOptions>? change = null) =>
        ResumeFlow(() => SafeTensorsReader.Open(path), path, flow, change);

    /// <summary>As for a file; the checkpoint comes from a stream.</summary>
    /// <param name="stream">Stands at the first byte of the checkpoint. It need not be seekable, is read up to the checkpoint's last byte, and is left open.</param>
    /// <param name="flow">The flow; its weights are replaced by those in the checkpoint. If this throws, it is as it was.</param>
    /// <param name="change">Changes the options of the training, which come without a <see cref="TrainingOptions.CheckpointPath"/>; null keeps them.</param>
    /// <exception cref="InvalidDataException">The checkpoint is damaged or cut off, is none of a training, or does not fit the flow.</exception>
    /// <exception cref="ArgumentException">The stream is closed or cannot be read.</exception>
    public static Trainer Resume(Stream stream, Flow flow, Func<TrainingOptions, TrainingOptions>? change = null) =>
        ResumeFlow(() => SafeTensorsReader.Of(stream), null, flow, change);

    private static Trainer ResumeModel(Func<SafeTensorsReader> open, string? path, Device? device, Func<TrainingOptions, TrainingOptions>? change)
    {
        Internal.Check.Available(device, nameof(device));
        using var file = ModelFile.Open(open);
        var model = ModelFile.Build(file);
        try
        {
            if (device is not null) model.to(device);
            return Resume(path, file, model, change);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static Trainer ResumeFlow(Func<SafeTensorsReader> open, string? path, Flow flow, Func<TrainingOptions, TrainingOptions>? change)
    {
        ArgumentNullException.ThrowIfNull(flow);
        flow.CheckAlive();
        using var file = ModelFile.Open(open);
        return Resume(path, file, flow, change);
    }

    // all sections of the file are checked before the first number of the flow is changed
    private static Trainer Resume(string? path, SafeTensorsFile file, Flow flow, Func<TrainingOptions, TrainingOptions>? change)
    {
        var name = file.Name;
        if (!file.Metadata.TryGetValue(ModelFile.TrainingKey, out var training) || !file.Metadata.TryGetValue(ModelFile.StateKey, out var json))
            throw new InvalidDataException($"{name} holds a model but no state of a training. Load it with {nameof(FlowModel)}.{nameof(FlowModel.Load)} and make a new trainer.");
        var version = ModelFile.VersionOf(file.Metadata, name);
        var namedPath = false;
        var options = ModelFile.Naming(name, () => TrainerState.Read<TrainingOptions>(training, version, member => namedPath |= member == nameof(TrainingOptions.CheckpointPath))) with { CheckpointPath = path };
        var state = ModelFile.Naming(name, () =>
        {
            var read = TrainerState.Read<TrainerState>(json, version);
            read.Check();
            return read;
        });
        try { options.Validate(); }
        catch (ArgumentException e) { throw new InvalidDataException($"{name} has training options that are not valid: {e.Message}", e); }
        var moments = ModelFile.Section(file, ModelFile.OptimizerPrefix);
        CheckSquares(moments, name);
        if (file.Tensors.TryGetValue(ModelFile.RandomPrefix + "default", out var random) && GeneratorState.Fault(random) is { } fault) throw new InvalidDataException($"{name} is damaged: {fault}.");
        using var weights = new FileState(flow, file, ModelFile.ModelPrefix);
        using var bestWeights = FileState.HasSection(file, ModelFile.BestPrefix) ? new FileState(flow, file, ModelFile.BestPrefix) : null;
        if (bestWeights is not null && state.BestEpoch is null) throw new InvalidDataException($"{name} is damaged: it has best weights, but {nameof(TrainerState.BestEpoch)} is null.");
        // a training that did not average may begin to
        var begins = options.AverageDecay is null;
        var trainer = new Trainer(flow, change is null ? options : change(options)) { state = state };
        try
        {
            if (namedPath) trainer.Warn($"The checkpoint is of an older version, which held the path of further checkpoints. A path in a file is not used: they go to {trainer.Options.CheckpointPath ?? "no file"}.");
            trainer.optimizer.LoadStateDict(moments);
            if (!begins) trainer.average?.LoadStateDict(weights.Averages(file));
            if (bestWeights is not null) trainer.best = new StateSnapshot(bestWeights.Tensors);
            weights.CopyToModule();
            if (begins) trainer.average?.Restart();
            if (random is not null) set_rng_state(random);
            return trainer;
        }
        catch (ArgumentException e)
        {
            trainer.Dispose();
            throw new InvalidDataException($"{name} is damaged: {e.Message}", e);
        }
        catch
        {
            trainer.Dispose();
            throw;
        }
    }

    // what comes from no gradients is 0; a negative one would make NaN of a weight
    private static void CheckSquares(Dictionary<string, Tensor> state, string file)
    {
        using var scope = NewDisposeScope();
        foreach (var (name, tensor) in state)
            if (name.StartsWith("exp_avg_sq.", StringComparison.Ordinal) && tensor.numel() > 0 && !(tensor.min().FetchDouble() >= 0))
                throw new InvalidDataException($"{file} is damaged: the optimizer's mean of squares {name} has a value that is negative or no number.");
    }
}
