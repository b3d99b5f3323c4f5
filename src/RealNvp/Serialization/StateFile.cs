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
internal static partial class StateFile
{
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
}
