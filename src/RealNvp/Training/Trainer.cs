using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Trains a flow by an <see cref="RealNvp.Objective"/>, maximum likelihood by itself:
/// mini-batches, an optimizer, validation, early stopping, averaged weights, checkpoints.</summary>
/// <remarks>
/// <para>All randomness comes from the seed and the number of the step, so the same seed gives the same losses, and a resumed training
/// goes on as if it had never stopped.</para>
/// <para>On a GPU nothing waits for the device in a step: the losses of up to 32 steps, or of a tenth of a second, are fetched
/// together. Progress is reported then, once for each step, and cancellation and errors come so much later. A step that is not
/// finite is held back on the device, and so are those after it, so the weights are those before it all the same.</para>
/// <para>The flow and what the objective trains beside it stay the caller's.
/// Train them on one thread, and use them for nothing else meanwhile.</para>
/// </remarks>
public sealed partial class Trainer : IDisposable
{
    private readonly Flow flow;
    private readonly TrainedModules modules;
    private readonly IOptimizer optimizer;
    private readonly WeightAverage? average;
    private readonly PendingLimits? limits;
    private TrainerState state = new();
    private StateSnapshot? best;
    private bool finished, disposed, running;
    private string? dataMark;

    /// <summary>Makes a trainer by maximum likelihood for a flow on the device
    /// and in the dtype that it will keep: move the flow before.</summary>
    /// <param name="flow">The flow to train.</param>
    /// <param name="options">How to train; null for the defaults of the flow's preset.</param>
    /// <exception cref="ArgumentException">An option is out of range, or the flow has no weights.</exception>
    public Trainer(Flow flow, TrainingOptions? options = null) : this(flow, Objective.MaximumLikelihood, options, null, null) { }

    /// <summary>Makes a trainer by an objective for a flow on the device and in the dtype that
    /// it will keep: move the flow, and what the objective trains beside it, before.</summary>
    /// <param name="flow">The flow to train.</param>
    /// <param name="objective">What to make small. It may train other modules
    /// beside the flow: <see cref="RealNvp.Objective.Modules"/>.</param>
    /// <param name="options">How to train; null for the defaults of the flow's preset.</param>
    /// <param name="optimizer">
    /// Makes the optimizer of groups of parameters, such as <c>groups => new TorchOptimizer(torch.optim.SGD(groups.SelectMany(g
    /// => g.Parameters).Select(p => p.Parameter), 0.1))</c>; null for <see cref="AdamOptimizer"/>. The trainer disposes it.
    /// <see cref="TrainingOptions.Adam"/> has no effect then, and the weight decay of a group is for it to apply.
    /// </param>
    /// <exception cref="ArgumentException">An option is out of range, two
    /// modules have a weight in common, or there are no weights.</exception>
    public Trainer(Flow flow, Objective objective, TrainingOptions? options = null, Func<IReadOnlyList<ParameterGroup>,
        IOptimizer>? optimizer = null) : this(flow, objective, options, optimizer, null) { }

    /// <summary>By maximum likelihood, with the limits of a device also if the flow is on the CPU; null leaves it to the device.</summary>
    internal Trainer(Flow flow, TrainingOptions? options, PendingLimits? limits)
        : this(flow, Objective.MaximumLikelihood, options, null, limits) { }

    internal Trainer(Flow flow, Objective objective, TrainingOptions? options, Func<IReadOnlyList<ParameterGroup>,
        IOptimizer>? makeOptimizer, PendingLimits? limits, TrainingOptions? inFile = null)
    {
        ArgumentNullException.ThrowIfNull(flow);
        ArgumentNullException.ThrowIfNull(objective);
        Options = options ?? (flow as ITrainingDefaults)?.TrainingDefaults() ?? new TrainingOptions();
        _ = Options.Validate(inFile);
        if (Options.Reversible && !objective.Traits.AllowsReversible)
            throw new ArgumentException(
                $"{nameof(TrainingOptions)}.{nameof(TrainingOptions.Reversible)} has no effect with the objective {objective.Name}: " +
                $"{nameof(ObjectiveTraits)}.{nameof(ObjectiveTraits.AllowsReversible)} is false. Leave it out.", nameof(options));
        this.flow = flow;
        Objective = objective;
        using var gradients = Internal.GradientMode.Enter();
        modules = new TrainedModules(flow, objective);
        var groups = Groups(modules, Options);
        if (groups.Length == 0) throw new ArgumentException("The flow has no weights to train.", nameof(flow));
        this.limits = makeOptimizer is null ? limits ?? (modules.AreOnOneDevice() ? PendingLimits.Default : null) : null;
        var fused = this.limits is null;
        optimizer = makeOptimizer is null
            ? new AdamOptimizer(groups, Options.Adam, fused) { UsesLists = this.limits?.UsesLists ?? false }
            : makeOptimizer(groups) ?? throw new ArgumentException("The optimizer is null.", nameof(makeOptimizer));
        if (Options.AverageDecay is { } decay) average = new WeightAverage(modules, decay, warmUp: true, fused);
    }

    /// <summary>How the flow is trained. From the beginning of <see cref="Fit"/>
    /// on, numbers stand here for choices that were left automatic.</summary>
    public TrainingOptions Options { get; private set; }

    /// <summary>What <see cref="TrainingOptions.MaxDuration"/> is measured with.</summary>
    internal TimeProvider Clock { get; set; } = TimeProvider.System;

    /// <summary>What a fit in one line is of, for its checkpoints; null for a training by itself.</summary>
    internal FitIdentity? Identity { get; set; }

    /// <summary>The flow that is trained.</summary>
    public Flow Flow => flow;

    /// <summary>What is made small.</summary>
    public Objective Objective { get; }

    /// <summary>Looks at each step between the backward pass and the optimizer, and may change or exchange
    /// the gradients; null, the default, for nobody. It runs before gradients are clipped.</summary>
    /// <exception cref="InvalidOperationException">It is set while a training runs.</exception>
    public Action<GradientStep>? AfterBackward
    {
        get;
        set =>
            field = !running ? value
                : throw new InvalidOperationException(
                $"{nameof(AfterBackward)} cannot change while a training runs. Set it before {nameof(Fit)}.");
    }

    /// <summary>Other processes that train the same flow on their parts of the data; null, the default, for none.</summary>
    /// <remarks>
    /// <para>All call <see cref="Fit"/> with the same flow and options and their own part of the data:
    /// <see cref="TrainingData.Shard(int, int)"/> or <see cref="TrainingData.AsShard"/>. <see cref="TrainingOptions.BatchSize"/> is that
    /// of all together. The result is, but for rounding, that of one process with all data, whatever their number: the first weights are
    /// those of process 0, noise is that of each row of the whole batch, and statistics, validation, the look for numbers that are not
    /// finite, and when to stop are decided together. What cannot be so is refused by name. See docs/data-parallel.md.</para>
    /// <para>Process 0 alone writes checkpoints and reports progress. A process that fails ends all, by
    /// <see cref="IGradientExchange.Abort"/>. The trainer does not dispose it.</para>
    /// </remarks>
    /// <exception cref="InvalidOperationException">It is set while a training runs.</exception>
    public IGradientExchange? Exchange
    {
        get;
        set =>
            field = !running ? value
                : throw new InvalidOperationException(
                $"{nameof(Exchange)} cannot change while a training runs. Set it before {nameof(Fit)}.");
    }

    /// <summary>The number of optimizer steps so far; on a GPU of those whose loss is known.</summary>
    public long Step => state.Step;

    /// <summary>Trains to the end, and leaves the flow in evaluation mode with its best weights.</summary>
    /// <param name="data">The examples.</param>
    /// <param name="validation">Examples for validation; null takes
    /// <see cref="TrainingOptions.ValidationFraction"/> of the data, a tenth by itself.</param>
    /// <param name="progress">Hears of every batch; on a GPU of several together.</param>
    /// <param name="cancellationToken">Stops after the current step, on a GPU after those that were
    /// launched. The flow is usable then, and the result says that it was cancelled.</param>
    /// <returns>The history of the epochs, why training ended, on which epoch's weights, and what you should know about it.</returns>
    /// <exception cref="NonFiniteException">The loss or a gradient became NaN or infinite; it
    /// names the first layer at fault. The weights are those before the step.</exception>
    /// <exception cref="ArgumentException">The data do not fit the flow or the objective; nothing has been changed.</exception>
    public TrainingResult Fit(TrainingData data, TrainingData? validation = null, IProgress<TrainingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        ObjectDisposedException.ThrowIf(disposed, this);
        if (finished)
            throw new InvalidOperationException(
                "This training has ended. Make a new trainer to train on, or resume one from a checkpoint.");
        modules.CheckAlive();
        using var alive = new Internal.HeldFlows(modules.Flows);
        // a caller may be in no_grad or in inference mode, where nothing could be trained
        using var gradients = Internal.GradientMode.Enter();
        data.CheckAlive(nameof(data));
        validation?.CheckAlive(nameof(validation));
        if (Exchange is not null) return FitTogether(data, validation, progress, cancellationToken);
        CheckShards(data, validation);
        return FitData(data, validation, progress, cancellationToken);
    }

    /// <summary>As <see cref="Fit"/>, on a thread of the pool.</summary>
    /// <inheritdoc cref="Fit"/>
    public Task<TrainingResult> FitAsync(TrainingData data, TrainingData? validation = null, IProgress<TrainingProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        Task.Run(() => Fit(data, validation, progress, cancellationToken), CancellationToken.None);

    /// <summary>Frees the optimizer's and the average's tensors; the flow stays.</summary>
    public void Dispose()
    {
        disposed = true;
        optimizer.Dispose();
        average?.Dispose();
        best?.Dispose();
    }

    /// <summary>Adds what the user should know to the result, and to the progress
    /// from the next step on; once, however often it is found.</summary>
    internal void Warn(string sentence)
    {
        if (!state.Warnings.Contains(sentence)) state.Warnings = [.. state.Warnings, sentence];
    }

    private long Batches(TrainingData train) => train.BatchesPerEpoch(Options.BatchSize) ?? 0;

    // 0 if a data loader does not tell
    private long TotalSteps(TrainingData train)
    {
        var total = Batches(train) * Options.Epochs;
        return Options.MaxSteps is not { } most ? total : total == 0 ? most : Math.Min(total, most);
    }

    private static ParameterGroup[] Groups(TrainedModules modules, TrainingOptions options)
    {
        static bool IsScale(string name) => name.EndsWith("weight_g", StringComparison.Ordinal)
            || name.EndsWith("transformer.scale", StringComparison.Ordinal);
        var (decay, scaleDecay) = (options.WeightDecay, options.WeightNormDecay);
        var named = modules.Parameters.Where(p => p.Parameter.requires_grad).ToLookup(p => scaleDecay > 0 && IsScale(p.Name));
        return [.. new[] { new ParameterGroup(named[false]) { WeightDecay = decay },
                new ParameterGroup(named[true]) { WeightDecay = decay + scaleDecay } }
            .Where(g => g.Parameters.Count > 0)];
    }
}
