using RealNvp.Internal;

namespace RealNvp;

/// <summary>The checkpoint of a fit in one line, from which the same call goes on if it was cut off.</summary>
/// <param name="path">The file; null for none.</param>
/// <param name="owner">The record of options that names it.</param>
internal sealed class FitCheckpoint(string? path, string owner)
{
    private const string Unknown = "The checkpoint does not say of which rows and options it is, so they were not compared.";

    private readonly List<string> files = [];

    /// <summary>Throws if the file cannot be written, or if the training has one of its own too.</summary>
    /// <param name="training">How to train, if the caller says it.</param>
    /// <param name="parts">Whether there are several trainings, so that one file is too few.</param>
    public void Check(TrainingOptions? training, bool parts = false)
    {
        if (training?.CheckpointPath is not null && (parts || path is not null))
            throw new ArgumentException(
                $"{owner}.Training has a {nameof(TrainingOptions.CheckpointPath)}. Give it as {owner}.CheckpointPath alone, from which " +
                $"the same call goes on.", nameof(training));
        if (path is null) return;
        ArgumentException Fault(string what) => new($"{owner}.CheckpointPath {what}", nameof(training));
        if (path.Length == 0) throw Fault("is empty. Give a file, or null for none.");
        if (Directory.Exists(path)) throw Fault($"is a folder, {path}. Give a file.");
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder && !Directory.Exists(folder))
            throw Fault($"is in {folder}, which does not exist. Create it first.");
        PathCheck.Replaceable(path);
    }

    /// <summary>Trains a flow, from where its checkpoint ends if there is one.</summary>
    /// <param name="flow">As it is before its training.</param>
    /// <param name="options">How.</param>
    /// <param name="data">The rows to train on.</param>
    /// <param name="validation">Those that it stops by.</param>
    /// <param name="identity">Gives what the fit is of; asked for only if there is a file to write.</param>
    /// <param name="progress">Hears of every batch.</param>
    /// <param name="cancellationToken">Stops it; the checkpoint stays.</param>
    /// <param name="part">Which of several trainings it is; null if it is the only one.</param>
    /// <exception cref="ArgumentException">The checkpoint is of another fit; the file stays as it is.</exception>
    public TrainingResult Train(Flow flow, TrainingOptions options, TrainingData data, TrainingData validation,
        Func<FitIdentity> identity, IProgress<TrainingProgress>? progress, CancellationToken cancellationToken, int? part = null)
    {
        if (path is null)
        {
            using var alone = new Trainer(flow, options);
            return alone.Fit(data, validation, progress, cancellationToken);
        }
        var file = part is not { } number ? path
            : Path.ChangeExtension(path, FormattableString.Invariant($"{number}{Path.GetExtension(path)}"));
        options = options with { CheckpointPath = file };
        var (goesOn, isKnown, own) = (File.Exists(file), true, identity());
        if (goesOn)
        {
            using var before = SafeTensorsReader.Open(file);
            isKnown = own.Require(before.Header.Metadata, file, owner);
        }
        files.Add(file);
        using var trainer = goesOn ? Trainer.Resume(file, flow, _ => options) : new Trainer(flow, options);
        trainer.Identity = own;
        if (!isKnown) trainer.Warn(Unknown);
        return trainer.Fit(data, validation, progress, cancellationToken);
    }

    /// <summary>Removes the files: what was to be fitted is there.</summary>
    public void Remove()
    {
        foreach (var file in files) File.Delete(file);
    }
}
