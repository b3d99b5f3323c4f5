using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Trains a flow by maximum likelihood: mini-batches, Adam, validation, early stopping, averaged weights, checkpoints.</summary>
/// <remarks>
/// <para>All randomness comes from the seed and the number of the step, so the same seed gives the same losses, and a resumed training
/// goes on as if it had never stopped.</para>
/// <para>On a GPU nothing waits for the device in a step: the losses of up to 32 steps, or of a tenth of a second, are fetched together. Progress is
/// reported then, once for each step, and cancellation and errors come so much later. A step that is not finite is held back on the device, and so are
/// those after it, so the weights are those before it all the same.</para>
/// <para>The flow stays the caller's. Train it on one thread, and use it for nothing else meanwhile.</para>
/// </remarks>
public sealed partial class Trainer : IDisposable
{
    private readonly Flow flow;
    private readonly AdamOptimizer optimizer;
    private readonly WeightAverage? average;
    private readonly TorchSharp.Modules.Parameter[] parameters;
    private readonly PendingLimits? limits;
    private TrainerState state = new();
    private StateSnapshot? best;
    private bool finished, disposed;

    /// <summary>Makes a trainer for a flow on the device and in the dtype that it will keep: move the flow before.</summary>
    /// <param name="flow">The flow to train.</param>
    /// <param name="options">How to train; null for the defaults of the flow's preset.</param>
    /// <exception cref="ArgumentException">An option is out of range, or the flow has no weights.</exception>
    public Trainer(Flow flow, TrainingOptions? options = null) : this(flow, options, null) { }

    /// <summary>As the public one, with the limits of a device where the flow is on the CPU too; null leaves it to the device.</summary>
    internal Trainer(Flow flow, TrainingOptions? options, PendingLimits? limits)
    {
        ArgumentNullException.ThrowIfNull(flow);
        Options = options ?? (flow is FlowModel model ? TrainingOptions.For(model.ModelOptions) : new TrainingOptions());
        Options.Validate();
        this.flow = flow;
        flow.CheckAlive();
        using var gradients = Internal.GradientMode.Enter();
        CheckTrainable(flow);
        parameters = [.. flow.parameters().Where(p => p.requires_grad)];
        if (parameters.Length == 0) throw new ArgumentException("The flow has no weights to train.", nameof(flow));
        this.limits = limits ?? (IsOnOneDevice(flow) ? PendingLimits.Default : null);
        var fused = this.limits is null;
        optimizer = new AdamOptimizer(Groups(flow, Options.WeightNormDecay), Options.Adam, fused) { UsesLists = this.limits?.UsesLists ?? false };
        if (Options.AverageDecay is { } decay) average = new WeightAverage(flow, decay, warmUp: true, fused);
    }

    /// <summary>How the flow is trained. From the beginning of <see cref="Fit"/> on, numbers stand here for choices that were left automatic.</summary>
    public TrainingOptions Options { get; private set; }

    /// <summary>What <see cref="TrainingOptions.MaxDuration"/> is measured with.</summary>
    internal TimeProvider Clock { get; set; } = TimeProvider.System;

    /// <summary>The flow that is trained.</summary>
    public Flow Flow => flow;

    /// <summary>The number of optimizer steps so far; on a GPU of those whose loss is known.</summary>
    public long Step => state.Step;

    /// <summary>Trains to the end, and leaves the flow in evaluation mode with its best weights.</summary>
    /// <param name="data">The examples.</param>
    /// <param name="validation">Examples for validation; null takes <see cref="TrainingOptions.ValidationFraction"/> of the data, a tenth by itself.</param>
    /// <param name="progress">Hears of every batch; on a GPU of several together.</param>
    /// <param name="cancellationToken">Stops after the current step, on a GPU after those that were launched. The flow is usable then, and the result says that it was cancelled.</param>
    /// <returns>The history of the epochs, why training ended, on which epoch's weights, and what you should know about it.</returns>
    /// <exception cref="NonFiniteException">The loss or a gradient became NaN or infinite; it names the first layer at fault. The weights are those before the step.</exception>
    /// <exception cref="ArgumentException">The data do not fit the flow; nothing has been changed.</exception>
    public TrainingResult Fit(TrainingData data, TrainingData? validation = null, IProgress<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        ObjectDisposedException.ThrowIf(disposed, this);
        if (finished) throw new InvalidOperationException("This training has ended. Make a new trainer to train on, or resume one from a checkpoint.");
        flow.CheckAlive();
        // a caller may be in no_grad or in inference mode, where nothing could be trained
        using var gradients = Internal.GradientMode.Enter();
        data.CheckAlive(nameof(data));
        validation?.CheckAlive(nameof(validation));
        var (train, held, source) = Part(data, validation);
        try { return FitParts(train, held, source, progress, cancellationToken); }
        finally
        {
            if (!ReferenceEquals(train, data))
            {
                train.ReleaseSplit();
                held?.ReleaseSplit();
            }
        }
    }

    private TrainingResult FitParts(TrainingData data, TrainingData? validation, ValidationSource source, IProgress<TrainingProgress>? progress, CancellationToken cancellationToken)
    {
        CheckData(data, nameof(data));
        if (validation is not null) CheckData(validation, nameof(validation));
        if (Options.CheckpointPath is { } place && Directory.Exists(place))
            throw new ArgumentException($"{nameof(TrainingOptions)}.{nameof(TrainingOptions.CheckpointPath)} is a folder, {Path.GetFullPath(place)}. Give the path of a file in it.", nameof(data));
        if (Options.CheckpointPath is { } file && Path.GetDirectoryName(Path.GetFullPath(file)) is { } folder && !Directory.Exists(folder))
            throw new DirectoryNotFoundException($"The folder of {nameof(TrainingOptions.CheckpointPath)}, {folder}, does not exist. Create it before training.");
        if (Options.CheckpointPath is { } target) PathCheck.Replaceable(target);
        if (Batches(data) is > 0 and var batches && state.Batch > batches)
            throw new ArgumentException($"The checkpoint has done {state.Batch} batches of its epoch, but these data have {batches}. Resume with the data that the training began with.", nameof(data));
        if (Batches(data) == 0 && Options.MaxSteps is null && Options.Schedule is CosineSchedule)
            throw new ArgumentException($"The cosine schedule needs the number of steps, but the data loader does not tell how many batches it has. Pass it to {nameof(TrainingData)}.{nameof(TrainingData.FromBatches)}, or set {nameof(TrainingOptions.MaxSteps)}.", nameof(data));
        if (state.Step == 0)
        {
            if (data is TensorData tensors) foreach (var warning in DataScan.Of(flow, tensors)) Warn(warning);
            try { foreach (var warning in LayerFitting.Fit(flow, data, again: false, $"{nameof(Trainer)}.{nameof(Fit)}", cancellationToken)) Warn(warning); }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested) { return Result(source, HeldOut(source, validation), StopReason.Cancelled); }
            average?.Restart();
        }

        FillIn(validation, source);
        using var run = new TrainingRun(Clock, Options.MaxDuration)
        {
            Train = data,
            Validation = validation,
            Source = source,
            Progress = progress,
            Batches = Batches(data),
            TotalSteps = TotalSteps(data),
            HeldOut = HeldOut(source, validation),
        };
        using var loop = new StepLoop(flow, optimizer, average, Options, state, run, limits);
        var reason = StopReason.Finished;
        flow.train();
        var reversible = flow.ReversibleTraining;
        try
        {
            if (Options.Reversible) flow.ReversibleTraining = true;
            while (state.Epoch < Options.Epochs && !StepsDone(loop.Taken) && reason == StopReason.Finished)
                reason = RunEpoch(run, loop, cancellationToken) ?? (EndEpoch(run) ? StopReason.EarlyStopped : StopReason.Finished);
            if (reason is StopReason.Cancelled or StopReason.TimeLimit && Options.CheckpointPath is { } path) SaveCheckpoint(path);
            // after the checkpoint, so that a resumed training does not know of it
            if (reason == StopReason.TimeLimit && state.Examples > 0) EndPart(run);
            if (reason is StopReason.Finished or StopReason.EarlyStopped) ProbeSlowInverse(run);
        }
        finally
        {
            loop.SettleQuietly();
            foreach (var parameter in parameters) parameter.grad = null;
            flow.ReversibleTraining = reversible;
            flow.eval();
        }
        Finish();
        Describe(data, validation);
        return Result(source, run.HeldOut, reason);
    }

    /// <summary>As <see cref="Fit"/>, on a thread of the pool.</summary>
    /// <inheritdoc cref="Fit"/>
    public Task<TrainingResult> FitAsync(TrainingData data, TrainingData? validation = null, IProgress<TrainingProgress>? progress = null, CancellationToken cancellationToken = default) =>
        Task.Run(() => Fit(data, validation, progress, cancellationToken), CancellationToken.None);

    /// <summary>Frees the optimizer's and the average's tensors; the flow stays.</summary>
    public void Dispose()
    {
        disposed = true;
        optimizer.Dispose();
        average?.Dispose();
        best?.Dispose();
    }

    /// <summary>Adds what the user should know to the result, and to the progress from the next step on; once, however often it is found.</summary>
    private void Warn(string sentence)
    {
        if (!state.Warnings.Contains(sentence)) state.Warnings = [.. state.Warnings, sentence];
    }

    private long Batches(TrainingData train) => train.BatchesPerEpoch(Options.BatchSize) ?? 0;

    // 0 where a data loader does not tell
    private long TotalSteps(TrainingData train)
    {
        var total = Batches(train) * Options.Epochs;
        return Options.MaxSteps is not { } most ? total : total == 0 ? most : Math.Min(total, most);
    }

    private static bool IsOnOneDevice(Flow flow)
    {
        var tensors = flow.parameters().Concat(flow.buffers()).ToArray();
        return tensors.All(t => t.device_type != DeviceType.CPU && t.device_type == tensors[0].device_type && t.device_index == tensors[0].device_index);
    }

    private static ParameterGroup[] Groups(Flow flow, double decay)
    {
        static bool IsScale(string name) => name.EndsWith("weight_g", StringComparison.Ordinal) || name.EndsWith("transformer.scale", StringComparison.Ordinal);
        var named = flow.named_parameters().Where(p => p.parameter.requires_grad).ToLookup(p => decay > 0 && IsScale(p.name));
        return [.. new[] { new ParameterGroup(named[false]), new ParameterGroup(named[true]) { WeightDecay = decay } }.Where(g => g.Parameters.Count > 0)];
    }
}
