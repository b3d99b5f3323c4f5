using System.Globalization;

namespace RealNvp;

internal static partial class StateFile
{
    /// <summary>The format version that this library writes.</summary>
    public const int CurrentVersion = 4;

    /// <summary>The first version that has all buffers of today; files before
    /// it lack those of <c>IOlderFiles</c>.</summary>
    public const int AllBuffers = 3;

    public const string ModelPrefix = "model/", BestPrefix = "best/", AveragePrefix = "average/", OptimizerPrefix = "optimizer/",
        RandomPrefix = "random/";
    public const string OptionsKey = "options", TrainingKey = "training", StateKey = "state";
    public const string FormatKey = "format", VersionKey = "version", KindKey = "kind", LibraryKey = "library", InfoKey = "info",
        Format = "RealNvp";

    /// <summary>What files say that are none of a flow, and are told from those of one before anything is read: of a detector, and of
    /// the density of a table.</summary>
    public const string DetectorKey = "realnvp.detector", TableKind = "TableFlow";

    /// <summary>Throws if a header is not one of ours.</summary>
    public static void CheckFormat(IReadOnlyDictionary<string, string> metadata, string name)
    {
        if (!metadata.TryGetValue(FormatKey, out var format) || format != Format)
            throw new InvalidDataException(
                $"{name} is no RealNvp checkpoint: its metadata lack \"{FormatKey}\": \"{Format}\". Read other safetensors files with " +
                $"SafeTensors.Load.");
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
