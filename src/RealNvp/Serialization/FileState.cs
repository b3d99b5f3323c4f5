using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// A state that a file has for a module, checked as a whole before any of it is copied: names, shapes, dtypes, and the laws of its parts.
/// What a file is too old to have (<see cref="IOlderFiles"/>) is filled in with what it was in effect; it owns that.
/// </summary>
internal sealed class FileState : IDisposable
{
    private const string AveragePrefix = StateFile.AveragePrefix + "average.", UpdatesKey = StateFile.AveragePrefix + "updates";

    private readonly nn.Module module;
    private readonly string name;
    private readonly IReadOnlyDictionary<string, Tensor> target;
    private readonly Dictionary<string, Tensor> tensors;
    private readonly Dictionary<string, Tensor> added = new(StringComparer.Ordinal);

    /// <summary>Checks a section of a file.</summary>
    /// <param name="module">What the state is for. It stays as it is.</param>
    /// <param name="file">Lives longer than this.</param>
    /// <param name="prefix">The section.</param>
    /// <exception cref="InvalidDataException">It does not fit the module, or is none that the module could have.</exception>
    public FileState(nn.Module module, SafeTensorsFile file, string prefix)
    {
        (this.module, name) = (module, file.Name);
        target = module.state_dict();
        tensors = StateFile.Section(file, prefix);
        try
        {
            if (StateFile.VersionOf(file.Metadata, name) < StateFile.AllBuffers) AddOlder();
            CheckNames(tensors.Keys, target.Keys);
            foreach (var (key, tensor) in target) CheckLike(key, tensors[key], tensor);
            StateCheck.Laws(module, tensors, name);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The state by the module's names.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors => tensors;

    /// <summary>The state of a file with which its training would end: the best
    /// one, else the last one with averaged weights, else the last one.</summary>
    public static FileState Best(nn.Module module, SafeTensorsFile file)
    {
        if (HasSection(file, StateFile.BestPrefix)) return new FileState(module, file, StateFile.BestPrefix);
        var state = new FileState(module, file, StateFile.ModelPrefix);
        try
        {
            if (HasSection(file, StateFile.AveragePrefix)) state.TakeAverages(file);
            return state;
        }
        catch
        {
            state.Dispose();
            throw;
        }
    }

    public static bool HasSection(SafeTensorsFile file, string prefix) =>
        file.Tensors.Keys.Any(k => k.StartsWith(prefix, StringComparison.Ordinal));

    /// <summary>The state of the <see cref="WeightAverage"/> in a file; where the file
    /// is older than a buffer of the module, that buffer is its own average.</summary>
    public Dictionary<string, Tensor> Averages(SafeTensorsFile file)
    {
        var section = StateFile.Section(file, StateFile.AveragePrefix);
        StateCheck.Laws(module, StateFile.Section(file, AveragePrefix), name);
        foreach (var (key, tensor) in added)
            if (tensor.is_floating_point()) section.TryAdd($"average.{key}", tensor);
        return section;
    }

    /// <summary>Copies the state into the module, in its dtypes and on its device.</summary>
    public void CopyToModule()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (var (key, tensor) in target) tensor.copy_(tensors[key]);
    }

    public void Dispose()
    {
        foreach (var tensor in added.Values) tensor.Dispose();
    }

    private void TakeAverages(SafeTensorsFile file)
    {
        var averages = StateFile.Section(file, AveragePrefix);
        if (!file.Tensors.ContainsKey(UpdatesKey))
            throw new InvalidDataException($"{name} is damaged: its averaged weights have no '{UpdatesKey}'.");
        foreach (var (key, tensor) in added) averages.TryAdd(key, tensor);
        // integers are not averaged; a buffer that is no part of the state is, but no state could take it
        foreach (var (key, buffer) in module.named_buffers())
            if (!target.ContainsKey(key)) averages.Remove(key);
        foreach (var (key, tensor) in target)
            if (!tensor.is_floating_point()) averages.TryAdd(key, tensors[key]);
        CheckNames(averages.Keys, target.Keys);
        foreach (var (key, average) in averages)
        {
            CheckLike(key, average, target[key]);
            tensors[key] = average;
        }
        StateCheck.Laws(module, tensors, name);
    }

    private void AddOlder()
    {
        using var _ = no_grad();
        foreach (var (path, part) in module.named_modules().Append(("", module)))
        {
            if (part is not IOlderFiles older) continue;
            foreach (var (key, value) in older.Missing)
            {
                var full = path.Length == 0 ? key : $"{path}.{key}";
                if (tensors.ContainsKey(full) || !target.TryGetValue(full, out var like)) continue;
                tensors[full] = added[full] = empty_like(like).fill_(Scalars.Of(value)).DetachFromDisposeScope();
            }
        }
    }

    private void CheckNames(IEnumerable<string> given, IEnumerable<string> expected)
    {
        var missing = expected.Except(given).Order(StringComparer.Ordinal).ToArray();
        var unknown = given.Except(expected).Order(StringComparer.Ordinal).ToArray();
        if (missing.Length + unknown.Length > 0)
            throw new InvalidDataException(
                $"{name} does not fit the model: {missing.Length} weight(s) missing{First(missing)}, {unknown.Length} " +
                $"unknown{First(unknown)}.");
    }

    // floating-point ones are converted; copy_ would broadcast shapes silently
    private void CheckLike(string key, Tensor given, Tensor expected)
    {
        if (!given.shape.AsSpan().SequenceEqual(expected.shape)
            || (given.dtype != expected.dtype && !(given.is_floating_point() && expected.is_floating_point())))
            throw new InvalidDataException(
                $"{name} does not fit the model: weight {key} is {given.dtype} {EventShape.Format(given.shape)}; the model has " +
                $"{expected.dtype} {EventShape.Format(expected.shape)}.");
    }

    private static string First(string[] names) => names.Length == 0 ? "" : $" (such as {FileText.Name(names[0])})";
}
