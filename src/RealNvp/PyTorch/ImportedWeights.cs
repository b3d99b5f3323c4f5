using System.Globalization;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The tensors of a state dict by the names that the library gives them, without a prefix; it notes which were used.</summary>
internal sealed class ImportedWeights
{
    private readonly Dictionary<string, Tensor> tensors = new(StringComparer.Ordinal);
    private readonly HashSet<string> used = new(StringComparer.Ordinal), read = new(StringComparer.Ordinal);
    private readonly List<string> foreign = [], conversions = [];
    private readonly List<nn.Module> made = [];
    private readonly string source, library, prefix;

    /// <summary>Takes the tensors of a state dict whose names begin with a prefix.</summary>
    public ImportedWeights(IReadOnlyDictionary<string, Tensor> all, string source, string library, string? prefix = "",
        IReadOnlyList<string>? anchors = null, ScalarType? dtype = null)
    {
        (this.source, this.library) = (source, library);
        this.prefix = prefix ?? Found(all.Keys, anchors!);
        foreach (var (name, tensor) in all)
            if (name.StartsWith(this.prefix, StringComparison.Ordinal)) tensors.Add(name[this.prefix.Length..], tensor);
            else foreign.Add(name);
        if (tensors.Count == 0) throw Fault($"no name begins with '{this.prefix}'; it has {Some([.. all.Keys])}");
        var types = tensors.Values.Select(t => t.dtype).Where(IsNumber).Distinct().ToArray();
        if (types.Length == 0) throw Fault("none of its tensors has numbers of floating point");
        DType = dtype ?? (types.Contains(ScalarType.Float64) ? ScalarType.Float64 : ScalarType.Float32);
        foreach (var type in types.Where(t => t != DType))
            conversions.Add($"Tensors of {type} became {DType}.");
    }

    /// <summary>The dtype of the flow: unless it was given, float64 if the file has any, else float32.</summary>
    public ScalarType DType { get; }

    /// <summary>A tensor, in float64 if it has numbers of floating point; it counts as used.</summary>
    public Tensor this[string name]
    {
        get
        {
            if (!tensors.TryGetValue(name, out var tensor)) throw Missing(name);
            used.Add(name);
            var own = tensor.detach().cpu();
            return IsNumber(own.dtype) ? own.to(float64) : own;
        }
    }

    /// <summary>A tensor that must have a shape; -1 is any size.</summary>
    public Tensor Of(string name, params ReadOnlySpan<long> shape)
    {
        var tensor = this[name];
        var fits = tensor.dim() == shape.Length;
        for (var i = 0; fits && i < shape.Length; i++) fits = shape[i] == -1 || shape[i] == tensor.shape[i];
        return fits ? tensor : throw Fault(
            $"'{FileText.Name(name)}' has shape {EventShape.Format(tensor.shape)}; {EventShape.Format(shape)} was expected (-1: any size)");
    }

    /// <summary>Whether there is a tensor of this name.</summary>
    public bool Has(string name) => tensors.ContainsKey(name);

    /// <summary>Whether a name begins so.</summary>
    public bool HasUnder(string start) => tensors.Keys.Any(k => k.StartsWith(start, StringComparison.Ordinal));

    /// <summary>The numbers that follow on a beginning of names, ascending: 0, 2, 4 for <c>net.0.weight</c> and so on.</summary>
    public int[] Indices(string start)
    {
        var found = new SortedSet<int>();
        foreach (var key in tensors.Keys)
        {
            if (!key.StartsWith(start, StringComparison.Ordinal)) continue;
            var end = key.IndexOf('.', start.Length);
            if (end > 0 && int.TryParse(key.AsSpan(start.Length, end - start.Length), NumberStyles.None, CultureInfo.InvariantCulture,
                out var i))
                found.Add(i);
        }
        return [.. found];
    }

    /// <summary>As <see cref="Indices"/>, which must be 0, 1, 2 without a gap.</summary>
    public int Count(string start, string what)
    {
        var found = Indices(start);
        for (var i = 0; i < found.Length; i++)
            if (found[i] != i)
                throw Fault($"it has '{FileText.Name(start)}{found[^1]}' but no '{FileText.Name(start)}{i}': {what} without weights, of " +
                    "which a state dict says nothing");
        return found.Length;
    }

    /// <summary>A tensor whose values say what the flow is, as those of a mask do: they are no weights, and belong to its description.
    /// </summary>
    public Tensor Fixed(string name)
    {
        read.Add(name);
        return this[name];
    }

    /// <summary>The numbers of a tensor that say what the flow is.</summary>
    public double[] Numbers(string name) => Fixed(name).to(float64).flatten().FetchDoubles();

    /// <summary>Whole numbers, as those of a permutation.</summary>
    public long[] Integers(string name) => Fixed(name).to(int64).flatten().FetchInt64s();

    /// <summary>What was used of the state dict, without its weights.</summary>
    public IReadOnlyList<string> Skeleton() => [.. tensors.Where(t => used.Contains(t.Key))
        .Select(t => StateDictSkeleton.Line(t.Key, t.Value.detach().cpu(), read.Contains(t.Key)))];

    /// <summary>A mask as rows of booleans, or null if there is none.</summary>
    public bool[,]? Mask(string name)
    {
        if (!Has(name)) return null;
        var mask = Of(name, -1, -1);
        var (rows, columns) = (mask.shape[0], mask.shape[1]);
        var numbers = Numbers(name);
        if (Array.Exists(numbers, n => n is not (0 or 1))) throw Fault($"the mask '{FileText.Name(name)}' has numbers other than 0 and 1");
        var result = new bool[rows, columns];
        for (var i = 0; i < numbers.Length; i++) result[i / columns, i % columns] = numbers[i] != 0;
        return result;
    }

    /// <summary>A weight, also one with weight norm in either of PyTorch's spellings: g·v/‖v‖, the norm over all but the first
    /// dimension.</summary>
    public Tensor Weight(string start)
    {
        if (Has(start + "weight") && this[start + "weight"] is var weight)
            return weight.is_floating_point() ? weight : throw Fault(
                $"'{FileText.Name(start)}weight' is {weight.dtype}; numbers of floating point were expected");
        if (WeightNorm(start) is not { } parts) throw Missing(start + "weight");
        Converted("Weights with weight norm were merged: g·v/‖v‖.");
        var (g, v) = parts;
        return v.mul(g.div(v.flatten(1).pow(Scalars.Two).sum(1).sqrt().reshape(g.shape)));
    }

    /// <summary>A linear layer: its weight (O, I), its bias (O), and a mask (O, I) if it must have one.</summary>
    public ImportedLinear Linear(string start, bool masked = false)
    {
        var weight = Weight(start);
        if (weight.dim() != 2 || weight.numel() == 0)
            throw Fault($"'{FileText.Name(start)}weight' has shape {EventShape.Format(weight.shape)}; (O, I) was expected");
        var mask = masked ? Mask(start + "mask") ?? throw Missing(start + "mask") : null;
        if (mask is not null && (mask.GetLength(0) != weight.shape[0] || mask.GetLength(1) != weight.shape[1]))
            throw Fault($"'{FileText.Name(start)}mask' does not have the shape of the weight, {EventShape.Format(weight.shape)}");
        return new(weight, Of(start + "bias", weight.shape[0]), mask);
    }

    /// <summary>g and v of a weight with weight norm in either spelling; null if it has none.</summary>
    public (Tensor G, Tensor V)? WeightNorm(string start)
    {
        foreach (var (g, v) in new[] { ("weight_g", "weight_v"),
            ("parametrizations.weight.original0", "parametrizations.weight.original1") })
            if (Has(start + g) && Has(start + v)) return (this[start + g], this[start + v]);
        return null;
    }

    /// <summary>Marks tensors as used that say nothing, such as the number of batches that a normalization saw.</summary>
    public void Pass(string start, params ReadOnlySpan<string> names)
    {
        foreach (var name in names) if (Has(start + name)) used.Add(start + name);
    }

    /// <summary>Notes a conversion, once.</summary>
    public void Converted(string sentence)
    {
        if (!conversions.Contains(sentence)) conversions.Add(sentence);
    }

    /// <summary>Sets weights of a module of ours, which gets the dtype of the flow.</summary>
    public T Filled<T>(T module, params ReadOnlySpan<(string Key, Tensor Value)> values) where T : nn.Module
    {
        // a module that changes its dtype has other tensors than it was made with
        made.Add(module);
        module.to(DType);
        var state = module.state_dict();
        foreach (var (key, value) in values) Fill(state[key], value, $"{key} of {module.GetName()}");
        return module;
    }

    /// <summary>Sets a weight of ours, which has as many numbers, perhaps in another shape.</summary>
    /// <param name="target">Ours.</param>
    /// <param name="value">Theirs.</param>
    /// <param name="name">What ours is called.</param>
    public void Fill(Tensor target, Tensor value, string name)
    {
        if (target.numel() != value.numel())
            throw Fault($"weights of shape {EventShape.Format(value.shape)} do not fit {name}, {EventShape.Format(target.shape)}");
        if (target.is_floating_point() && !value.is_floating_point())
            throw Fault($"weights of {name} are {value.dtype}; numbers of floating point were expected");
        target.copy_(value.reshape(target.shape));
    }

    /// <summary>Disposes the modules that were made, because the flow did not come to be.</summary>
    public void Abandon()
    {
        foreach (var module in made) module.Dispose();
    }

    /// <summary>The report; a strict one throws if something is left over.</summary>
    public PyTorchImportReport Report(bool strict)
    {
        string[] left = [.. tensors.Keys.Where(k => !used.Contains(k)).Select(k => prefix + k).Concat(foreign)
            .Order(StringComparer.Ordinal)];
        if (strict && left.Length > 0)
            throw Fault($"{left.Length} tensor(s) belong to no part of the flow: {Some(left)}. Set Strict = false to leave them out");
        return new PyTorchImportReport(source, prefix, [.. used.Select(k => prefix + k).Order(StringComparer.Ordinal)], left,
            [.. conversions]);
    }

    /// <summary>The error for what cannot be imported.</summary>
    public InvalidDataException Fault(string what) =>
        new($"{source} holds no flow of {library} that can be imported with these options: {FileText.Sentence(what)}.");

    /// <summary>The error for a tensor that is not there.</summary>
    public InvalidDataException Missing(string name)
    {
        var folder = name[..(name.LastIndexOf('.') + 1)];
        string[] near = [.. tensors.Keys.Where(k => k.StartsWith(folder, StringComparison.Ordinal))];
        return Fault($"it has no '{FileText.Name(prefix + name)}'; it has {Some(near.Length > 0 ? near : [.. tensors.Keys])}");
    }

    /// <summary>The first of some names.</summary>
    public static string Some(IReadOnlyList<string> names) =>
        string.Join(", ", names.Take(10).Select(FileText.Name)) + (names.Count > 10 ? FormattableString.Invariant($", ... ({names.Count})")
            : "");

    private string Found(IEnumerable<string> names, IReadOnlyList<string> anchors)
    {
        foreach (var anchor in anchors)
        {
            string[] found = [.. names.Select(name => Before(name, anchor)).OfType<string>().Distinct(StringComparer.Ordinal)];
            if (found.Length == 1) return found[0];
            if (found.Length > 1 && found.Contains("")) return "";
            if (found.Length > 1) throw Fault($"it has flows at {Some(found)}. Say which by Prefix = \"...\"");
        }
        throw Fault($"no name has {string.Join(" or ", anchors.Select(a => $"'{a}'"))}, with which those of {library} begin; it has " +
            Some([.. names]));
    }

    private static string? Before(string name, string anchor)
    {
        if (name.StartsWith(anchor, StringComparison.Ordinal)) return "";
        var at = name.IndexOf("." + anchor, StringComparison.Ordinal);
        return at < 0 ? null : name[..(at + 1)];
    }

    private static bool IsNumber(ScalarType type) =>
        type is ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float32 or ScalarType.Float64;
}
