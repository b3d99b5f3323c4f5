using System.Globalization;
using System.Text.Json;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// The layout of our checkpoint files: safetensors with the keys <c>model/...</c>, and for training <c>best/...</c>, <c>average/...</c>,
/// <c>optimizer/...</c> and <c>random/...</c>; options and counters are JSON in the metadata.
/// </summary>
internal static class ModelFile
{
    public const string ModelPrefix = "model/", BestPrefix = "best/", AveragePrefix = "average/", OptimizerPrefix = "optimizer/",
        RandomPrefix = "random/";
    public const string OptionsKey = "options", TrainingKey = "training", StateKey = "state";
    public const string FormatKey = "format", VersionKey = "version", KindKey = "kind", LibraryKey = "library", InfoKey = "info",
        Format = "RealNvp";

    private const int LongestInfo = 1 << 22;
    private const long SpareElements = 1 << 18, SpareTensors = 1 << 10;

    public static Dictionary<string, string> Metadata(Flow flow)
    {
        var metadata = new Dictionary<string, string> { [FormatKey] = Format,
            [VersionKey] = FrozenMembers.Current.ToString(CultureInfo.InvariantCulture), [KindKey] = flow.GetName(),
            [LibraryKey] = FlowInfo.Library, [InfoKey] = FileJson.Write(flow.Info), [Checksum.Key] = "" };
        if (flow is FlowModel model) metadata[OptionsKey] = model.ModelOptions.ToJson();
        return metadata;
    }

    public static IEnumerable<KeyValuePair<string, Tensor>> Prefixed(string prefix, IEnumerable<KeyValuePair<string, Tensor>> tensors) =>
        tensors.Select(t => KeyValuePair.Create(prefix + t.Key, t.Value));

    /// <summary>Reads a model that describes itself. A training checkpoint gives
    /// its best weights, else the averaged ones, else the last ones.</summary>
    public static T LoadModel<T>(Func<SafeTensorsReader> open, Device? device) where T : FlowModel
    {
        Check.Available(device, nameof(device));
        using var file = Open(open, typeof(T));
        var model = (T)Build(file);
        try
        {
            using (var state = FileState.Best(model, file)) state.CopyToModule();
            model.Info = InfoOf(file.Metadata, file.Name, model);
            if (device is not null) model.to(device);
            model.eval();
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Reads a file of ours whole; others are refused by their header.</summary>
    /// <param name="open">Opens it.</param>
    /// <param name="wanted">The class of model that it must hold, if it names one that we know; null for any.</param>
    public static SafeTensorsFile Open(Func<SafeTensorsReader> open, Type? wanted = null)
    {
        using var reader = open();
        var (metadata, name) = (reader.Header.Metadata, reader.Name);
        CheckFormat(metadata, name);
        VersionOf(metadata, name);
        if (wanted is not null && wanted != typeof(FlowModel) && ModelKind.Find(KindOf(metadata)) is { } known
            && !wanted.IsAssignableFrom(known.Model))
            throw new InvalidDataException(
                $"{name} holds a {known.Name}, no {wanted.Name}. Load it with {known.Name}.{nameof(FlowModel.Load)} or " +
                $"{nameof(FlowModel)}.{nameof(FlowModel.Load)}.");
        return reader.ReadTensors();
    }

    /// <summary>Builds the model that a file describes, in the dtype of the file's
    /// weights, without spending more memory than the file has.</summary>
    public static FlowModel Build(SafeTensorsFile file) => Naming(file.Name, () => BuildFrom(file));

    /// <summary>Reads a part of a file; an error that does not say which file it is of says it then.</summary>
    public static T Naming<T>(string name, Func<T> read)
    {
        try { return read(); }
        catch (InvalidDataException e) when (!e.Message.StartsWith(name,
            StringComparison.Ordinal)) { throw new InvalidDataException($"{name}: {e.Message}", e); }
    }

    private static FlowModel BuildFrom(SafeTensorsFile file)
    {
        if (!file.Metadata.TryGetValue(OptionsKey, out var json))
            throw new InvalidDataException(
                $"{file.Name} holds weights without the options of a model. Load it into a flow that you build yourself.");
        var kind = KindOf(file.Metadata);
        if (ModelKind.Find(kind) is not { } known)
            throw new InvalidDataException(
                $"{file.Name} holds a model of kind {FileText.Name(kind)}, which is not known here. Known are " +
                $"{string.Join(", ", ModelKind.Names)}. For a model of your own, call its Register before.");
        var ignored = new List<string>();
        var options = ModelOptions.FromFile(known.Options, json, VersionOf(file.Metadata, file.Name), ignored.Add);
        var weights = file.Tensors.Where(t => t.Key.StartsWith(ModelPrefix, StringComparison.Ordinal) && t.Value.numel() > 0)
            .Select(t => t.Value).ToArray();
        var elements = weights.Sum(w => w.numel());
        // the initial weights are overwritten: drawn with a seed, they leave torch's generator alone
        using var initial = Weights.Seed(0);
        // a little more than the file has, so that a small model is built and a message can name the weights that lack
        using var budget = Weights.Limit(elements + SpareElements, weights.Length + SpareTensors,
            ConstantsOf(elements, options.Shape) + SpareElements);
        FlowModel? model = null;
        try
        {
            model = known.Create(options);
            model.Ignored = [.. ignored.Select(member =>
                $"The file says {member}, which means nothing for a model of {options.Shape}: it is ignored, as it was before.")];
            using (new FileState(model, file, ModelPrefix)) { }
            var dtype = weights.FirstOrDefault(w => w.is_floating_point())?.dtype ?? float32;
            if (dtype != get_default_dtype()) model.to(dtype);
            Weights.MakeConstants();
            return model;
        }
        catch (Exception e)
        {
            if (model is null) Weights.Abandon();
            else model.Dispose();
            // each option was in its range, but not all together
            if (e is ArgumentException)
                throw new InvalidDataException($"{file.Name} describes a model that cannot be built: {FileText.Sentence(e.Message)}", e);
            throw;
        }
    }

    /// <summary>More elements than the constants of any model have, from those of its weights and its shape.</summary>
    /// <remarks>The indices of a layer are as many as its features, and its weights at least so
    /// many. The masks of an image are two a scale, as large as its pixels.</remarks>
    public static long ConstantsOf(long weights, EventShape shape) => (8 * weights) + (3 * shape.NumElements);

    public static Dictionary<string, Tensor> Section(SafeTensorsFile file, string prefix) =>
        file.Tensors.Where(t => t.Key.StartsWith(prefix, StringComparison.Ordinal)).ToDictionary(t => t.Key[prefix.Length..], t => t.Value);

    /// <summary>Throws if a header is not one of ours.</summary>
    public static void CheckFormat(IReadOnlyDictionary<string, string> metadata, string name)
    {
        if (!metadata.TryGetValue(FormatKey, out var format) || format != Format)
            throw new InvalidDataException(
                $"{name} is no RealNvp checkpoint: its metadata lack \"{FormatKey}\": \"{Format}\". Read other safetensors files with " +
                $"{nameof(SafeTensors)}.{nameof(SafeTensors.Load)}.");
    }

    /// <summary>What a file says of itself; an empty record for a file from before there was one.</summary>
    /// <param name="metadata">The metadata of the file.</param>
    /// <param name="name">What messages call the file.</param>
    /// <param name="flow">The flow that it must fit; null for none.</param>
    public static FlowInfo InfoOf(IReadOnlyDictionary<string, string> metadata, string name, Flow? flow)
    {
        if (!metadata.TryGetValue(InfoKey, out var text)) return new FlowInfo();
        try
        {
            if (text.Length > LongestInfo) throw new JsonException($"it has {text.Length} characters, {LongestInfo} at most are read");
            var info = FileJson.Read<FlowInfo>(FrozenMembers.CompleteInfo(text), FrozenMembers.Current);
            if (flow is null) info.Validate();
            else info.Validate(flow);
            return info;
        }
        catch (Exception e) when (e is JsonException or ArgumentException or NotSupportedException or InvalidOperationException
            or FormatException)
        {
            throw new InvalidDataException($"{name} is damaged: '{InfoKey}' in its metadata cannot be read: {e.Message}", e);
        }
    }

    /// <summary>The class of models that a file names, by the name of today; "none" if it names none.</summary>
    public static string KindOf(IReadOnlyDictionary<string, string> metadata)
    {
        var kind = metadata.GetValueOrDefault(KindKey, "none");
        // a user's class may have a name that one of ours had
        return ModelKind.Find(kind) is null ? OlderNames.KindOf(kind) : kind;
    }

    /// <summary>The format version of a file, one that this library reads.</summary>
    public static int VersionOf(IReadOnlyDictionary<string, string> metadata, string name)
    {
        var version = metadata.GetValueOrDefault(VersionKey, "none");
        return int.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number is >= 1 and <= FrozenMembers.Current
            ? number
            : throw new InvalidDataException(
                $"{name} has format version {FileText.Name(version)}; this library reads the versions 1 to {FrozenMembers.Current}. " +
                $"Update the library.");
    }
}
