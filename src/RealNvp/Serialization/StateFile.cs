using System.Globalization;
using System.Reflection;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// The layout of our files: safetensors with the keys <c>model/...</c>, and for training <c>best/...</c>, <c>average/...</c>,
/// <c>optimizer/...</c> and <c>random/...</c>; options and counters are JSON in the metadata. Whose state and whose options they are is
/// not known here.
/// </summary>
internal static class StateFile
{
    /// <summary>The format version that this library writes.</summary>
    public const int CurrentVersion = 4;

    /// <summary>The first version that has all buffers of today; files before
    /// it lack those of <see cref="Internal.IOlderFiles"/>.</summary>
    public const int AllBuffers = 3;

    public const string ModelPrefix = "model/", BestPrefix = "best/", AveragePrefix = "average/", OptimizerPrefix = "optimizer/",
        RandomPrefix = "random/";
    public const string OptionsKey = "options", TrainingKey = "training", StateKey = "state";
    public const string FormatKey = "format", VersionKey = "version", KindKey = "kind", LibraryKey = "library", InfoKey = "info",
        Format = "RealNvp";

    /// <summary>What files say that are none of a flow, and are told from those of one before anything is read: of a detector, and of
    /// the density of a table.</summary>
    public const string DetectorKey = "realnvp.detector", TableKind = "TableFlow";

    /// <summary>The version of this library.</summary>
    public static string Library { get; } =
        (typeof(StateFile).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown")
            .Split('+')[0];

    /// <summary>What every file of ours says.</summary>
    /// <param name="kind">The name of the class of the flow.</param>
    /// <param name="info">What should be known of it, as JSON.</param>
    /// <param name="options">The record that describes it, as JSON; null if there is none.</param>
    public static Dictionary<string, string> Metadata(string kind, string info, string? options)
    {
        var metadata = new Dictionary<string, string>
        {
            [FormatKey] = Format, [VersionKey] = CurrentVersion.ToString(CultureInfo.InvariantCulture), [KindKey] = kind,
            [LibraryKey] = Library, [InfoKey] = info, [Checksum.Key] = "",
        };
        if (options is not null) metadata[OptionsKey] = options;
        return metadata;
    }

    public static IEnumerable<KeyValuePair<string, Tensor>> Prefixed(string prefix, IEnumerable<KeyValuePair<string, Tensor>> tensors) =>
        tensors.Select(t => KeyValuePair.Create(prefix + t.Key, t.Value));

    public static Dictionary<string, Tensor> Section(SafeTensorsFile file, string prefix) =>
        file.Tensors.Where(t => t.Key.StartsWith(prefix, StringComparison.Ordinal)).ToDictionary(t => t.Key[prefix.Length..], t => t.Value);

    /// <summary>Reads a file of ours whole; others are refused by their header.</summary>
    /// <param name="open">Opens it.</param>
    /// <param name="check">Looks at its metadata before anything large is read; null for nobody.</param>
    public static SafeTensorsFile Open(Func<SafeTensorsReader> open, Action<IReadOnlyDictionary<string, string>, string>? check = null)
    {
        using var reader = open();
        var (metadata, name) = (reader.Header.Metadata, reader.Name);
        CheckFormat(metadata, name);
        VersionOf(metadata, name);
        check?.Invoke(metadata, name);
        return reader.ReadTensors();
    }

    /// <summary>Reads a part of a file; an error that does not say which file it is of says it then.</summary>
    public static T Naming<T>(string name, Func<T> read)
    {
        try { return read(); }
        catch (InvalidDataException e) when (!e.Message.StartsWith(name, StringComparison.Ordinal))
        {
            throw new InvalidDataException($"{name}: {e.Message}", e);
        }
    }

    /// <summary>Throws if a header is not one of ours.</summary>
    public static void CheckFormat(IReadOnlyDictionary<string, string> metadata, string name)
    {
        if (!metadata.TryGetValue(FormatKey, out var format) || format != Format)
            throw new InvalidDataException(
                $"{name} is no RealNvp checkpoint: its metadata lack \"{FormatKey}\": \"{Format}\". Read other safetensors files with " +
                $"{nameof(SafeTensors)}.{nameof(SafeTensors.Load)}.");
    }

    /// <summary>The format version of a file, one that this library reads.</summary>
    public static int VersionOf(IReadOnlyDictionary<string, string> metadata, string name)
    {
        var version = metadata.GetValueOrDefault(VersionKey, "none");
        return int.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number is >= 1 and <= CurrentVersion
            ? number
            : throw new InvalidDataException(
                $"{name} has format version {FileText.Name(version)}; this library reads the versions 1 to {CurrentVersion}. " +
                $"Update the library.");
    }
}
