using System.Globalization;
using RealNvp.Internal;
using System.Text.Json.Serialization;

namespace RealNvp;

/// <summary>How to train a flow. The defaults are those of the Real NVP paper (arXiv
/// 1605.08803, section 4.1): Adam, batches of 64, L2 5e-5 on the weight-norm scales.</summary>
/// <remarks>Beyond the paper, weights are averaged and a part of the data is held out, on which
/// training stops early: without these, small data are soon learned by heart.</remarks>
public sealed record TrainingOptions
{
    /// <summary>The number of passes over the data; at least 1.</summary>
    public int Epochs { get; init; } = 100;

    /// <summary>Stops after this many steps, however many epochs are left; null for no limit.</summary>
    public long? MaxSteps { get; init; }

    /// <summary>The number of examples of a batch; at least 1. The last batch of an epoch may be smaller.</summary>
    public int BatchSize { get; init; } = 64;

    /// <summary>Adam's learning rate, before the schedule; positive.</summary>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>How the learning rate changes with the steps.</summary>
    public LearningRateSchedule Schedule { get; init; } = new ConstantSchedule();

    /// <summary>Adam's β₁, β₂ and ε.</summary>
    public AdamOptions Adam { get; init; } = new();

    /// <summary>L2 penalty on the scales of weight normalization and of affine couplings alone; 0 for none.</summary>
    public double WeightNormDecay { get; init; } = 5e-5;

    /// <summary>L2 penalty on all weights, 0 ... 1: w times this is added to the gradient of each weight w, as Adam's weight decay
    /// of PyTorch does; 0 for none. <see cref="WeightNormDecay"/> is added to it for the scales that that one is about.</summary>
    /// <remarks>1e-6 in the papers of MAF (arXiv 1705.07057, section 4) and of FFJORD (arXiv 1810.01367, appendix B).</remarks>
    public double WeightDecay { get; init; }

    /// <summary>Scales gradients down to this total norm where it is larger; null for no limit.</summary>
    public double? MaxGradientNorm { get; init; } = 100;

    /// <summary>Decay of the exponential moving average of weights and statistics, in
    /// [0, 1); null for none. Validation and the result use the average.</summary>
    /// <remarks>
    /// 0.99 remembers some hundred steps. That does for the result what a falling learning rate does at the end of a schedule,
    /// but at every step, so that training may stop at any; and it makes validation smooth, so that it stops at the right one.
    /// </remarks>
    public double? AverageDecay { get; init; } = 0.99;

    /// <summary>The part of the data that is held out for validation if no validation data
    /// are given, in [0, 1); null for the automatic choice, 0 to train on all.</summary>
    /// <remarks>
    /// The automatic choice is a tenth, and nothing of fewer than 50 examples or of a data loader, which cannot be
    /// split. What was done is in <see cref="TrainingResult.Validation"/> and <see cref="TrainingResult.HeldOut"/>. The
    /// trainer fills the choice in when training begins (<see cref="Trainer.Options"/>), and checkpoints hold it.
    /// </remarks>
    public double? ValidationFraction { get; init; }

    /// <summary>
    /// Stops when so many epochs in a row did not improve validation; null for the automatic choice, which is 15. A number as large as
    /// <see cref="Epochs"/>, such as <see cref="int.MaxValue"/>, trains to the end. Without validation it has no effect.
    /// </summary>
    /// <remarks>
    /// Epochs are compared by the mean log p(x) of the validation examples. If that of some is minus
    /// infinity, which makes the mean of all the same, an epoch with fewer such examples is better; with as
    /// many, the mean of the others decides (<see cref="EpochRecord.ValidationInfiniteCount"/>,
    /// <see cref="EpochRecord.ValidationFiniteLoss"/>). So one row that no flow reaches changes nothing.
    /// </remarks>
    [JsonConverter(typeof(PatienceJsonConverter))]
    public int? Patience { get; init; }

    /// <summary>
    /// Stops at the first step after this time, in the middle of an epoch too, and keeps the best
    /// weights; null for no limit. It counts anew for each call of <see cref="Trainer.Fit"/>, and takes
    /// one step at least. A checkpoint is written if there is a path, and training can be resumed.
    /// </summary>
    public TimeSpan? MaxDuration { get; init; }

    /// <summary>Ends with the weights that validated best, rather than the last ones. Without validation data it has no effect.</summary>
    public bool RestoreBest { get; init; } = true;

    /// <summary>Seeds the order of the examples and all noise. The same seed gives the same losses on the same machine.</summary>
    public long Seed { get; init; }

    /// <summary>
    /// Trains in memory that does not grow with the number of layers but for their weights, in some 1.3 to 1.5 times the time: see
    /// <see cref="Flow.ReversibleTraining"/>, which it turns on for the training.
    /// </summary>
    public bool Reversible { get; init; }

    /// <summary>A file that is written at the end of epochs and on cancellation, so that training can be resumed; null for none.</summary>
    /// <remarks>It is the one option that no checkpoint holds:
    /// <see cref="Trainer.Resume(string, TorchSharp.torch.Device, Func{TrainingOptions, TrainingOptions}, TrainerParts)"/>
    /// goes on with the path that it is given.</remarks>
    [JsonIgnore]
    public string? CheckpointPath { get; init; }

    /// <summary>The number of epochs between two checkpoints; at least 1.</summary>
    public int CheckpointEvery { get; init; } = 1;

    /// <summary>What a model, or a record that describes one, says of how it is trained:
    /// that of <see cref="For(EventShape)"/>, unless it says otherwise.</summary>
    /// <param name="model">A model of the library or of yours, or its options.</param>
    public static TrainingOptions For(ITrainingDefaults model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model.TrainingDefaults()
            ?? throw new InvalidOperationException(
            $"{model.GetType().Name}.{nameof(ITrainingDefaults.TrainingDefaults)} returned null. Return options.");
    }

    /// <summary>Settings that suit examples of a shape: those of the paper for images, and larger batches for vectors.</summary>
    /// <remarks>
    /// Images get a cosine schedule: as the learning rate falls, running statistics settle on the final weights. The paper names none.
    /// Vectors keep their rate, as a schedule that early stopping cuts has not come down; the average of the weights takes its place.
    /// </remarks>
    /// <param name="shape">[C, H, W] for images; any other is taken as that of vectors.</param>
    public static TrainingOptions For(EventShape shape) => shape.Count == 3
        ? new TrainingOptions { Schedule = new CosineSchedule() }
        : new TrainingOptions { BatchSize = 256, WeightNormDecay = 0, Schedule = new ConstantSchedule { WarmUpSteps = 100 },
            MaxGradientNorm = 10 };

    /// <summary>Throws if an option is out of range.</summary>
    /// <param name="inFile">
    /// The options of the checkpoint that a training goes on from. A rule may be newer than the file: an option that is still as it
    /// stands there is held to the older one. Null for a new training.
    /// </param>
    /// <returns>The newer rules that such options break, as sentences.</returns>
    internal IReadOnlyList<string> Validate(TrainingOptions? inFile = null)
    {
        Require(Epochs >= 1, nameof(Epochs), Epochs, "must be at least 1");
        Require(MaxSteps is null or >= 1, nameof(MaxSteps), MaxSteps, "must be null or at least 1");
        Require(BatchSize >= 1, nameof(BatchSize), BatchSize, "must be at least 1");
        Require(Schedule is not null, nameof(Schedule), Schedule, "must not be null");
        Require(Adam is not null, nameof(Adam), Adam, "must not be null");
        Require(AverageDecay is null or (>= 0 and < 1), nameof(AverageDecay), AverageDecay, "must be null or in [0, 1)");
        Require(ValidationFraction is null or (>= 0 and < 1), nameof(ValidationFraction), ValidationFraction, "must be null or in [0, 1)");
        Require(Patience is null or >= 1, nameof(Patience), Patience, "must be null or at least 1");
        Require(MaxDuration is null || MaxDuration > TimeSpan.Zero, nameof(MaxDuration), MaxDuration, "must be null or positive");
        Require(CheckpointEvery >= 1, nameof(CheckpointEvery), CheckpointEvery, "must be at least 1");
        List<string> broken = [];
        void Range(NumberRange range, double? value, double? before, string name, string rule)
        {
            if (value is not { } number || range.Holds(number)) return;
            Require(value == before && range.HoldsInFile(number), name, value, rule);
            broken.Add($"The checkpoint is older than this rule, and its training goes on as it was: {Fault(name, value, rule)}");
        }
        Range(Ranges.LearningRate, LearningRate, inFile?.LearningRate, nameof(LearningRate),
            string.Create(CultureInfo.InvariantCulture,
                $"must be positive, and at most {Ranges.LearningRate.Most}: {Ranges.LearningRate.Why}"));
        Range(Ranges.WeightNormDecay, WeightNormDecay, inFile?.WeightNormDecay, nameof(WeightNormDecay), Ranges.WeightNormDecay.Rule);
        Range(Ranges.WeightDecay, WeightDecay, inFile?.WeightDecay, nameof(WeightDecay), Ranges.WeightDecay.Rule);
        Range(Ranges.MaxGradientNorm, MaxGradientNorm, inFile?.MaxGradientNorm, nameof(MaxGradientNorm),
            $"must be null, for no limit, or finite and at least 1E-06: {Ranges.MaxGradientNorm.Why}");
        Range(Ranges.AdamEpsilon, Adam!.Epsilon, inFile?.Adam.Epsilon, $"{nameof(Adam)}.{nameof(Adam.Epsilon)}", Ranges.AdamEpsilon.Rule);
        return broken;
    }

    private static string Fault(string name, object? value, string rule) =>
        string.Create(CultureInfo.InvariantCulture, $"{nameof(TrainingOptions)}.{name} {rule}; got {value ?? "null"}.");

    private static void Require(bool holds, string name, object? value, string rule)
    {
        if (!holds) throw new ArgumentException(Fault(name, value, rule), name);
    }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(TrainingOptions), PrintMembers);
}
