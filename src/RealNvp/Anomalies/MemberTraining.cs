using System.Diagnostics;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Anomalies;

/// <summary>Trains the members of a detector: each stops on other rows, and every second one sees whitened columns.</summary>
/// <param name="rows">float64 (N, D) on the CPU in random order, no column constant; they stay the caller's.</param>
/// <param name="widths">D widths of uniform noise.</param>
/// <param name="model">What a member is.</param>
/// <param name="options">How.</param>
internal sealed class MemberTraining(Tensor rows, double[] widths, ModelOptions model, AnomalyOptions options)
{
    private const int Folds = 10;

    // few rows are validated on with several draws of the noise
    private const long LeastValidation = 200;

    private readonly List<double> heldOut = [];
    private readonly FitCheckpoint checkpoint = options.Checkpoint;
    private readonly TrainingOptions training = options.Training ?? AnomalyPreset.Training(model, options.Seed);
    private string? digest;

    /// <summary>Those that are trained, whose flows belong to the caller, also if <see cref="Run"/> throws.</summary>
    public List<DetectorMember> Members { get; } = [];

    public List<TrainingResult> Results { get; } = [];

    /// <summary>The mean of −log p of rows that a member was not trained on.</summary>
    public double Typical => heldOut.Count == 0 ? 0 : heldOut.Average();

    public void Run(IProgress<TrainingProgress>? progress, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        using var scope = NewDisposeScope();
        var uniform = tensor(widths, [1, widths.Length], device: CPU);
        var deviation = rows.std(0, unbiased: false, keepdim: true);
        Whitening? whitening = null;
        for (var member = 0; member < options.Members; member++)
        {
            var left = options.MaxDuration - clock.Elapsed;
            // the first member takes a step at least
            if (member > 0 && (cancellationToken.IsCancellationRequested || left <= TimeSpan.Zero)) break;
            if (AnomalyPreset.IsWhitened(member, widths.Length)) whitening ??= Whitening.Of(new NoisyRows(rows, uniform,
                zeros_like(uniform), null).Repeated(1, options.Seed));
            var own = AnomalyPreset.IsWhitened(member, widths.Length) ? whitening : null;
            var part = left is { } time ? TimeSpan.FromTicks(Math.Max(1, time.Ticks / (options.Members - member))) : (TimeSpan?)null;
            if (training.MaxDuration is { } asked && !(part < asked)) part = asked;
            Train(member, own, (own is null ? deviation : ones_like(deviation)).mul(Scalars.Of(options.Jitter)), uniform,
                training with { Seed = training.Seed + member, MaxDuration = part }, progress, cancellationToken);
        }
        if (!cancellationToken.IsCancellationRequested) checkpoint.Remove();
    }

    // the same for all members but for their numbers; the rows are looked at once
    private FitIdentity Identity(int member) => new FitIdentity().With("rows", digest ??= RowDigest.Of(rows)).With("member", member)
        .With("uniform noise", widths).With(nameof(options.Columns), options.Columns).With(nameof(options.Members), options.Members)
        .With(nameof(options.Jitter), options.Jitter).With(nameof(options.CalibrationFraction), options.CalibrationFraction)
        .With(nameof(options.Seed), options.Seed).WithOptions(nameof(options.Model), model)
        .WithOptions(nameof(options.Training), training);

    private void Train(int member, Whitening? whitening, Tensor normal, Tensor uniform, TrainingOptions how,
        IProgress<TrainingProgress>? progress, CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();
        var count = rows.shape[0];
        // two rows at least; the folds of members differ as long as there are so many
        var size = Math.Max(2, count / Math.Max(Folds, options.Members));
        var start = member * size % (count - size + 1);
        var held = rows.narrow(0, start, size);
        var train = cat([rows.narrow(0, 0, start), rows.narrow(0, start + size, count - start - size)]);
        var flow = model.NewModel(options.Seed + member);
        Members.Add(new DetectorMember(flow, whitening));
        if (options.Device is { } device) flow.to(device);
        var validation = new NoisyRows(held, uniform, normal, whitening)
            .Repeated((int)((LeastValidation + size - 1) / size), options.Seed + 1);
        Results.Add(checkpoint.Train(flow, how, new NoisyRows(train, uniform, normal, whitening),
            TrainingData.From(flow.ToWeights(validation)), () => Identity(member), progress, cancellationToken, member));
        flow.eval();
        if (options.Score != AnomalyScoreKind.Typicality) return;
        var parts = Members[^1].LogProbParts(held, nameof(AnomalyDetector), CancellationToken.None);
        heldOut.AddRange(Enumerable.Range(0, parts.Length / 2).Select(i => -parts[2 * i] - parts[(2 * i) + 1]).Where(double.IsFinite));
    }
}
