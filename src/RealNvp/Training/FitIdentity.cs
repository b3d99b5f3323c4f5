using System.Collections;
using System.Globalization;
using System.Reflection;
using TorchSharp;

namespace RealNvp;

/// <summary>What a fit in one line is of: its rows, columns and options, by names. A checkpoint holds it, so that a fit does not go on from
/// that of another one.</summary>
/// <remarks>What says only how long to train, where, and how often a checkpoint is written is not in it: it may change.</remarks>
internal sealed class FitIdentity
{
    private const string Prefix = "fit.";
    private const int MostNamed = 3, LongestText = 400;

    private static readonly HashSet<string> free = new(StringComparer.Ordinal)
    {
        nameof(TrainingOptions.Epochs), nameof(TrainingOptions.MaxSteps), nameof(TrainingOptions.MaxDuration),
        nameof(TrainingOptions.Patience), nameof(TrainingOptions.CheckpointPath), nameof(TrainingOptions.CheckpointEvery),
        // the rows to validate on are given
        nameof(TrainingOptions.ValidationFraction),
    };

    private readonly Dictionary<string, string> parts = new(StringComparer.Ordinal);

    /// <summary>Adds a number, a text or a list of them.</summary>
    public FitIdentity With(string name, object? value)
    {
        parts[name] = Short(Text(value));
        return this;
    }

    /// <summary>Adds each member of a record of options.</summary>
    public FitIdentity WithOptions(string name, object record)
    {
        parts[name] = record.GetType().Name;
        foreach (var member in record.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance))
            if (member.CanWrite && member.GetIndexParameters().Length == 0 && !(record is TrainingOptions && free.Contains(member.Name)))
                With($"{name}.{member.Name}", member.GetValue(record));
        return this;
    }

    /// <summary>Adds rows (N, ...) of any dtype and on any device, or null for none.</summary>
    public FitIdentity WithRows(string name, torch.Tensor? rows) => With(name, rows is null ? null : RowDigest.Of(rows));

    /// <summary>Writes it into the metadata of a file.</summary>
    public void Write(Dictionary<string, string> metadata)
    {
        foreach (var (name, value) in parts) metadata[Prefix + name] = value;
    }

    /// <summary>Throws if a checkpoint is of another fit.</summary>
    /// <param name="metadata">Its metadata.</param>
    /// <param name="path">The file.</param>
    /// <param name="options">The record of options that names it.</param>
    /// <returns>False if the file does not say of what it is.</returns>
    /// <exception cref="ArgumentException">Rows, columns or options are others; the message says which, and what they were.</exception>
    public bool Require(IReadOnlyDictionary<string, string> metadata, string path, string options)
    {
        if (!metadata.Keys.Any(k => k.StartsWith(Prefix, StringComparison.Ordinal))) return false;
        // a member that one of the two does not have is of another version of the library
        var others = parts.Where(p => metadata.TryGetValue(Prefix + p.Key, out var before) && before != p.Value)
            .Select(p => $"{p.Key} was {FileText.Sentence(metadata[Prefix + p.Key])}; now it is {FileText.Sentence(p.Value)}").ToArray();
        if (others.Length == 0) return true;
        var more = others.Length > MostNamed ? FormattableString.Invariant($", and {others.Length - MostNamed} more differ") : "";
        throw new ArgumentException(
            $"{options}.{nameof(FitOptions.CheckpointPath)} is {path}, the checkpoint of another fit. " +
            $"{string.Join(". ", others.Take(MostNamed))}{more}. Give the rows and options that it was written for, to go on from it; " +
            $"or delete it, or give another path, to begin anew.", nameof(options));
    }

    // names of many columns: their beginning, and a digest of all
    private static string Short(string text) => text.Length <= LongestText ? text
        : $"{text[..(char.IsHighSurrogate(text[LongestText / 2]) ? (LongestText / 2) - 1 : LongestText / 2)]}... " +
            RowDigest.Of(text.Length, [], [Array.ConvertAll(text.ToCharArray(), c => (double)c)]);

    private static string Text(object? value) => value switch
    {
        null => "none",
        string text => text,
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        IEnumerable list => string.Join(", ", list.Cast<object?>().Select(Text)),
        _ => value.ToString() ?? "",
    };
}
