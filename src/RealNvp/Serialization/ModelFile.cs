using System.Globalization;
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
    public const string ModelPrefix = "model/", BestPrefix = "best/", AveragePrefix = "average/", OptimizerPrefix = "optimizer/", RandomPrefix = "random/";
    public const string OptionsKey = "options", TrainingKey = "training", StateKey = "state";
    private const string FormatKey = "format", VersionKey = "version", KindKey = "kind", Format = "RealNvp";

    // a file names its kind; nothing else is ever built from one
    private static readonly Dictionary<string, Type> kinds = new()
    {
        [nameof(GlowModel)] = typeof(GlowOptions),
        [nameof(IafModel)] = typeof(IafOptions),
        [nameof(MafModel)] = typeof(MafOptions),
        [nameof(NiceModel)] = typeof(NiceOptions),
        [nameof(RealNvpModel)] = typeof(RealNvpOptions),
        [nameof(SplineFlow)] = typeof(SplineFlowOptions),
    };

    private const long SpareElements = 1 << 20, SpareTensors = 1 << 10;

    public static Dictionary<string, string> Metadata(Flow flow)
    {
        var metadata = new Dictionary<string, string> { [FormatKey] = Format, [VersionKey] = FrozenMembers.Current.ToString(CultureInfo.InvariantCulture), [KindKey] = flow.GetName(), [Checksum.Key] = "" };
        if (flow is FlowModel model) metadata[OptionsKey] = model.ModelOptions.ToJson();
        return metadata;
    }

    public static IEnumerable<KeyValuePair<string, Tensor>> Prefixed(string prefix, IEnumerable<KeyValuePair<string, Tensor>> tensors) =>
        tensors.Select(t => KeyValuePair.Create(prefix + t.Key, t.Value));

    /// <summary>Reads a model that describes itself. A training checkpoint gives its best weights, else the averaged ones, else the last ones.</summary>
    public static T LoadModel<T>(string path, Device? device) where T : FlowModel
    {
        Check.Available(device, nameof(device));
        var header = SafeTensors.ReadHeader(path);
        CheckHeader(header, path);
        if (typeof(T) != typeof(FlowModel) && header.Metadata.TryGetValue(KindKey, out var kind) && kind != typeof(T).Name && kinds.ContainsKey(kind))
            throw new InvalidDataException($"{path} holds a {kind}, no {typeof(T).Name}. Load it with {kind}.{nameof(FlowModel.Load)} or {nameof(FlowModel)}.{nameof(FlowModel.Load)}.");
        using var file = SafeTensors.Load(path);
        var model = (T)Build(path, file);
        try
        {
            LoadBest(model, file, path);
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

    /// <summary>Loads the best weights of a file, else the averaged ones, else the last ones. If it throws, the flow is as it was.</summary>
    public static void LoadBest(Flow flow, SafeTensorsFile file, string path)
    {
        var source = file.Tensors.Keys.Any(k => k.StartsWith(BestPrefix, StringComparison.Ordinal)) ? BestPrefix : ModelPrefix;
        using var before = new StateSnapshot(flow.LivingState());
        LoadState(flow, file, source, path);
        if (source == BestPrefix || !file.Tensors.Keys.Any(k => k.StartsWith(AveragePrefix, StringComparison.Ordinal))) return;
        try
        {
            using var average = new WeightAverage(flow);
            average.LoadStateDict(AverageSection(flow, file, path));
            StateSnapshot averaged;
            using (average.Apply()) averaged = new StateSnapshot(flow.state_dict());
            using (averaged) averaged.CopyTo(flow);
        }
        catch (Exception e)
        {
            before.CopyTo(flow);
            if (e is ArgumentException) throw new InvalidDataException($"{path} is damaged: {e.Message}", e);
            throw;
        }
    }

    /// <summary>Builds the model that a file describes, in the dtype of the file's weights, without spending more memory than the file has.</summary>
    public static FlowModel Build(string path, SafeTensorsFile file)
    {
        if (!file.Metadata.TryGetValue(OptionsKey, out var json)) throw new InvalidDataException($"{path} holds weights without the options of a model. Load it into a flow that you build yourself.");
        var kind = file.Metadata.GetValueOrDefault(KindKey, "none");
        if (!kinds.TryGetValue(kind, out var record)) throw new InvalidDataException($"{path} holds a model of kind {kind}, which this library does not know. It knows {string.Join(", ", kinds.Keys.Order())}.");
        var options = ModelOptions.FromFile(record, json, VersionOf(file.Metadata, path));
        var weights = file.Tensors.Where(t => t.Key.StartsWith(ModelPrefix, StringComparison.Ordinal)).Select(t => t.Value).ToArray();
        // a little more than the file has, so that a small model is built and the message below can name the weights that lack
        // they are overwritten: drawn with a seed, they leave torch's generator alone
        using var initial = Weights.Seed(0);
        using var budget = Weights.Limit(weights.Sum(w => w.numel()) + SpareElements, weights.Length + SpareTensors);
        FlowModel model;
        try { model = options.Build(); }
        catch
        {
            Weights.Abandon();
            throw;
        }
        var dtype = weights.FirstOrDefault(w => w.is_floating_point())?.dtype ?? float32;
        if (dtype != get_default_dtype()) model.to(dtype);
        return model;
    }

    /// <summary>Copies a section of a file into a module, after checking that names, shapes and dtypes agree, all of them.</summary>
    public static void LoadState(nn.Module module, SafeTensorsFile file, string prefix, string path)
    {
        var source = Section(file, prefix);
        var target = module.state_dict();
        using var older = new OlderState(module, source, target, VersionOf(file.Metadata, path));
        var missing = target.Keys.Except(source.Keys).Order().ToArray();
        var unknown = source.Keys.Except(target.Keys).Order().ToArray();
        if (missing.Length + unknown.Length > 0)
            throw new InvalidDataException($"{path} does not fit the model: {missing.Length} weight(s) missing{First(missing)}, {unknown.Length} unknown{First(unknown)}.");
        foreach (var (name, tensor) in target)
        {
            var given = source[name];
            // floating-point ones are converted
            if (!given.shape.AsSpan().SequenceEqual(tensor.shape) || (given.dtype != tensor.dtype && !(given.is_floating_point() && tensor.is_floating_point())))
                throw new InvalidDataException($"{path} does not fit the model: weight {name} is {given.dtype} {EventShape.Format(given.shape)}; the model has {tensor.dtype} {EventShape.Format(tensor.shape)}.");
        }
        StateCheck.Laws(module, source, path);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (var (name, tensor) in target) tensor.copy_(source[name]);
    }

    public static Dictionary<string, Tensor> Section(SafeTensorsFile file, string prefix) =>
        file.Tensors.Where(t => t.Key.StartsWith(prefix, StringComparison.Ordinal)).ToDictionary(t => t.Key[prefix.Length..], t => t.Value);

    /// <summary>The averages in a file; where it is older than a buffer of the module, that buffer is its own average.</summary>
    public static Dictionary<string, Tensor> AverageSection(nn.Module module, SafeTensorsFile file, string path)
    {
        const string prefix = "average.";
        var section = Section(file, AveragePrefix);
        StateCheck.Laws(module, section.Where(t => t.Key.StartsWith(prefix, StringComparison.Ordinal)).ToDictionary(t => t.Key[prefix.Length..], t => t.Value), path);
        if (VersionOf(file.Metadata, path) >= OlderState.Since) return section;
        foreach (var (name, part) in module.named_modules())
            if (part is IOlderFiles older)
                foreach (var (key, buffer) in part.named_buffers(recurse: false))
                    if (older.Missing.ContainsKey(key) && buffer.is_floating_point()) section.TryAdd($"{prefix}{name}.{key}", buffer);
        return section;
    }

    public static void CheckHeader(SafeTensorsHeader header, string path)
    {
        if (!header.Metadata.TryGetValue(FormatKey, out var format) || format != Format)
            throw new InvalidDataException($"{path} is no RealNvp checkpoint: its metadata lack \"{FormatKey}\": \"{Format}\". Read other safetensors files with {nameof(SafeTensors)}.{nameof(SafeTensors.Load)}.");
        VersionOf(header.Metadata, path);
    }

    /// <summary>The format version of a file, one that this library reads.</summary>
    public static int VersionOf(IReadOnlyDictionary<string, string> metadata, string path)
    {
        var version = metadata.GetValueOrDefault(VersionKey, "none");
        return int.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is >= 1 and <= FrozenMembers.Current
            ? number
            : throw new InvalidDataException($"{path} has format version {version}; this library reads the versions 1 to {FrozenMembers.Current}. Update the library.");
    }

    private static string First(string[] names) => names.Length == 0 ? "" : $" (such as {names[0]})";
}
