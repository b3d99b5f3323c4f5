using TorchSharp;

namespace RealNvp.PyTorch;

/// <summary>Finds the state dict in a file: a dictionary whose values are all tensors.</summary>
internal static class StateDicts
{
    // {'ema': {'model': {...}}}, {'callbacks': {'EMA': {'state': {...}}}}
    private const int MostLevels = 4;

    /// <summary>The one at a key, or else the only one of those that are the least deep.</summary>
    /// <param name="file">The file.</param>
    /// <param name="key">The key, or keys from the outermost with dots between; null finds out.</param>
    public static IReadOnlyDictionary<string, torch.Tensor> Of(PyTorchFile file, string? key)
    {
        if (file.Value is not IReadOnlyDictionary<object, object?> root)
            throw new InvalidDataException(
                $"{file.Name} holds no dictionary, so no state dict. Save it with torch.save(model.state_dict(), path).");
        if (root.Count == 0) throw new InvalidDataException($"{file.Name} holds an empty dictionary, so no state dict.");
        if (key is not null)
            return At(root, key) is { } wanted && Tensors(wanted) is { } tensors ? tensors
                : throw new InvalidDataException(
                    $"{file.Name} has no state dict '{FileText.Name(key)}'; it has " +
                        $"{ImportedWeights.Some([.. root.Keys.Select(k => $"{k}")])}.");
        if (Tensors(root) is { } own) return own;
        List<(string Name, IReadOnlyDictionary<object, object?> Values)> level = [("", root)];
        for (var depth = 0; depth < MostLevels && level.Count > 0; depth++)
        {
            level = [.. level.SelectMany(outer => outer.Values
                .Where(e => e is { Key: string, Value: IReadOnlyDictionary<object, object?> })
                .Select(e => (outer.Name.Length > 0 ? $"{outer.Name}.{e.Key}" : $"{e.Key}",
                    (IReadOnlyDictionary<object, object?>)e.Value!)))];
            var found = level.Where(entry => Tensors(entry.Values) is not null).ToArray();
            if (found.Length == 1) return Tensors(found[0].Values)!;
            if (found.Length > 1)
                throw new InvalidDataException(
                    $"{file.Name} holds {found.Length} state dicts: {ImportedWeights.Some([.. found.Select(f => f.Name)])}. Say which by " +
                    "StateDict = \"...\".");
        }
        throw new InvalidDataException($"{file.Name} holds no state dict, a dictionary of tensors alone; it has " +
            $"{ImportedWeights.Some([.. root.Keys.Select(k => $"{k}")])}.");
    }

    // a key may have dots itself
    private static object? At(IReadOnlyDictionary<object, object?> values, string key)
    {
        if (values.TryGetValue(key, out var value)) return value;
        for (var dot = key.IndexOf('.', StringComparison.Ordinal); dot > 0; dot = key.IndexOf('.', dot + 1))
            if (values.TryGetValue(key[..dot], out var inner) && inner is IReadOnlyDictionary<object, object?> next
                && At(next, key[(dot + 1)..]) is { } found) return found;
        return null;
    }

    private static Dictionary<string, torch.Tensor>? Tensors(object? value)
    {
        if (value is not IReadOnlyDictionary<object, object?> { Count: > 0 } entries
            || !entries.All(entry => entry is { Key: string, Value: torch.Tensor })) return null;
        return entries.ToDictionary(entry => (string)entry.Key, entry => (torch.Tensor)entry.Value!, StringComparer.Ordinal);
    }
}
