using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class Trainer
{
    /// <summary>Writes weights, options, optimizer, averages, counters and torch's random state to one file, replaced in one step.</summary>
    /// <param name="path">The file, usually <c>*.safetensors</c>.</param>
    /// <exception cref="ObjectDisposedException">The trainer, the flow or a part of it is disposed; a file that is there stays as it is.</exception>
    public void SaveCheckpoint(string path)
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
        SafeTensors.Save(path, tensors, metadata);
    }

    /// <summary>Goes on with a training from its checkpoint: builds the model, and continues to the same losses as if it had never stopped.</summary>
    /// <remarks>Torch's default random state is put back too, for networks of your own that draw from it.</remarks>
    /// <param name="path">A file that <see cref="SaveCheckpoint"/> wrote for a <see cref="FlowModel"/>.</param>
    /// <param name="device">Where to train; null for the CPU.</param>
    /// <param name="change">
    /// Changes the options of the training, for example to add epochs; null keeps them. They come with <paramref name="path"/> as
    /// <see cref="TrainingOptions.CheckpointPath"/>: further checkpoints replace this one, unless it says another path, or null for none.
    /// </param>
    /// <returns>The trainer, and with it, as <see cref="Flow"/>, the model. The caller disposes both.</returns>
    /// <exception cref="InvalidDataException">The file is damaged, or is no checkpoint of a training.</exception>
    public static Trainer Resume(string path, Device? device = null, Func<TrainingOptions, TrainingOptions>? change = null)
    {
        ModelFile.CheckHeader(SafeTensors.ReadHeader(path), path);
        using var file = SafeTensors.Load(path);
        var model = ModelFile.Build(path, file);
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

    /// <summary>Goes on with a training of a flow that you built yourself.</summary>
    /// <param name="path">A file that <see cref="SaveCheckpoint"/> wrote for a flow with the same weights.</param>
    /// <param name="flow">The flow; its weights are replaced by those in the file.</param>
    /// <param name="change">Changes the options of the training, which come with <paramref name="path"/> as <see cref="TrainingOptions.CheckpointPath"/>; null keeps them.</param>
    /// <exception cref="InvalidDataException">The file is damaged, is no checkpoint of a training, or does not fit the flow.</exception>
    public static Trainer Resume(string path, Flow flow, Func<TrainingOptions, TrainingOptions>? change = null)
    {
        ArgumentNullException.ThrowIfNull(flow);
        ModelFile.CheckHeader(SafeTensors.ReadHeader(path), path);
        using var file = SafeTensors.Load(path);
        return Resume(path, file, flow, change);
    }

    private static Trainer Resume(string path, SafeTensorsFile file, Flow flow, Func<TrainingOptions, TrainingOptions>? change)
    {
        if (!file.Metadata.TryGetValue(ModelFile.TrainingKey, out var training) || !file.Metadata.TryGetValue(ModelFile.StateKey, out var json))
            throw new InvalidDataException($"{path} holds a model but no state of a training. Load it with {nameof(FlowModel)}.{nameof(FlowModel.Load)} and make a new trainer.");
        var version = ModelFile.VersionOf(file.Metadata, path);
        var namedPath = false;
        var options = TrainerState.Read<TrainingOptions>(training, version, member => namedPath |= member == nameof(TrainingOptions.CheckpointPath)) with { CheckpointPath = path };
        var state = TrainerState.Read<TrainerState>(json, version);
        try { options.Validate(); }
        catch (ArgumentException e) { throw new InvalidDataException($"The training options in {path} are not valid: {e.Message}", e); }
        state.Check();
        var moments = ModelFile.Section(file, ModelFile.OptimizerPrefix);
        CheckSquares(moments, path);
        if (file.Tensors.TryGetValue(ModelFile.RandomPrefix + "default", out var random) && GeneratorState.Fault(random) is { } fault) throw new InvalidDataException($"{path} is damaged: {fault}.");
        ModelFile.LoadState(flow, file, ModelFile.ModelPrefix, path);
        var trainer = new Trainer(flow, change is null ? options : change(options)) { state = state };
        try
        {
            if (namedPath) trainer.Warn($"The checkpoint is of an older version, which held the path of further checkpoints. A path in a file is not used: they go to {trainer.Options.CheckpointPath ?? "no file"}.");
            trainer.optimizer.LoadStateDict(moments);
            trainer.average?.LoadStateDict(ModelFile.AverageSection(flow, file, path));
            var best = ModelFile.Section(file, ModelFile.BestPrefix);
            if (best.Count > 0)
            {
                var expected = flow.state_dict();
                using var older = new OlderState(flow, best, expected, version);
                if (!best.Keys.ToHashSet().SetEquals(expected.Keys) || best.Any(b => !b.Value.shape.AsSpan().SequenceEqual(expected[b.Key].shape)))
                    throw new InvalidDataException($"{path} is damaged: its best weights do not fit the model.");
                StateCheck.Laws(flow, best, path);
                if (state.BestEpoch is null) throw new InvalidDataException($"{path} is damaged: it has best weights, but {nameof(TrainerState.BestEpoch)} is null.");
                trainer.best = new StateSnapshot(best);
            }
            if (random is not null) set_rng_state(random);
            return trainer;
        }
        catch (ArgumentException e)
        {
            trainer.Dispose();
            throw new InvalidDataException($"{path} is damaged: {e.Message}", e);
        }
        catch
        {
            trainer.Dispose();
            throw;
        }
    }

    // what comes from no gradients is 0; a negative one would make NaN of a weight
    private static void CheckSquares(Dictionary<string, Tensor> state, string path)
    {
        using var scope = NewDisposeScope();
        foreach (var (name, tensor) in state)
            if (name.StartsWith("exp_avg_sq.", StringComparison.Ordinal) && tensor.numel() > 0 && !(tensor.min().FetchDouble() >= 0))
                throw new InvalidDataException($"{path} is damaged: the optimizer's mean of squares {name} has a value that is negative or no number.");
    }
}
