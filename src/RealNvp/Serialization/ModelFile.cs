using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Files that describe the flow that they hold, so that it can be built
/// from them. What it can be is registered: <see cref="ModelKind"/>.</summary>
internal static class ModelFile
{
    private const long SpareElements = 1 << 18, SpareTensors = 1 << 10;

    /// <summary>Reads a model that describes itself. A training checkpoint gives
    /// its best weights, else the averaged ones, else the last ones.</summary>
    public static T LoadModel<T>(Func<SafeTensorsReader> open, Device? device) where T : Flow
    {
        Check.Available(device, nameof(device));
        using var file = StateFile.Open(open, (metadata, name) => CheckKind(metadata, name, typeof(T)));
        var model = (T)Build(file);
        try
        {
            using (var state = FileState.Best(model, file)) state.CopyToModule();
            model.Info = FlowInfo.Of(file.Metadata, file.Name, model);
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

    /// <summary>Throws if a file names a class of models that is known, and is no such class.</summary>
    private static void CheckKind(IReadOnlyDictionary<string, string> metadata, string name, Type wanted)
    {
        if (ModelKind.Find(KindOf(metadata)) is { } known
            && !wanted.IsAssignableFrom(known.Model))
            throw new InvalidDataException(
                $"{name} holds a {known.Name}, no {wanted.Name}. Load it with {known.Name}.{nameof(FlowModel.Load)} or " +
                $"{nameof(FlowModel)}.{nameof(FlowModel.Load)}.");
    }

    /// <summary>Builds the model that a file describes, in the dtype of the file's
    /// weights, without spending more memory than the file has.</summary>
    public static Flow Build(SafeTensorsFile file) => StateFile.Naming(file.Name, () => BuildFrom(file));

    private static Flow BuildFrom(SafeTensorsFile file)
    {
        if (!file.Metadata.TryGetValue(StateFile.OptionsKey, out var json))
            throw new InvalidDataException(
                $"{file.Name} holds weights without the options of a model. Load it into a flow that you build yourself.");
        var kind = KindOf(file.Metadata);
        if (kind == StateFile.TableKind)
            throw new InvalidDataException($"{file.Name} holds a {kind}, whose rows are no vectors. Load it with {kind}.Load.");
        if (ModelKind.Find(kind) is not { } known)
            throw new InvalidDataException(
                $"{file.Name} holds a model of kind {FileText.Name(kind)}, which is not known here. Known are " +
                $"{string.Join(", ", ModelKind.Names)}. For a model of your own, call its Register before.");
        var ignored = new List<string>();
        var options = known.Read(json, StateFile.VersionOf(file.Metadata, file.Name), ignored.Add);
        var weights = file.Tensors.Where(t => t.Key.StartsWith(StateFile.ModelPrefix, StringComparison.Ordinal) && t.Value.numel() > 0)
            .Select(t => t.Value).ToArray();
        var elements = weights.Sum(w => w.numel());
        // the initial weights are overwritten: drawn with a seed, they leave torch's generator alone
        using var initial = Weights.Seed(0);
        // a little more than the file has, so that a small model is built and a message can name the weights that lack
        using var budget = Weights.Limit(elements + SpareElements, weights.Length + SpareTensors,
            ConstantsOf(elements, options.Shape) + SpareElements);
        Flow? model = null;
        try
        {
            model = known.Create(options);
            model.Ignored = [.. ignored.Select(member =>
                $"The file says {member}, which means nothing for a model of {options.Shape}: it is ignored, as it was before.")];
            using (new FileState(model, file, StateFile.ModelPrefix)) { }
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

    /// <summary>The class of models that a file names, by the name of today; "none" if it names none.</summary>
    public static string KindOf(IReadOnlyDictionary<string, string> metadata)
    {
        var kind = metadata.GetValueOrDefault(StateFile.KindKey, "none");
        // a user's class may have a name that one of ours had
        return ModelKind.Find(kind) is null ? FileJson.Older.KindOf(kind) : kind;
    }

    /// <summary>More elements than the constants of any model have, from those of its weights and its shape.</summary>
    /// <remarks>The indices of a layer are as many as its features, and its weights at least so
    /// many. The masks of an image are two a scale, as large as its pixels.</remarks>
    public static long ConstantsOf(long weights, EventShape shape) => (8 * weights) + (3 * shape.NumElements);
}
