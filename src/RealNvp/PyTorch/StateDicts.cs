using TorchSharp;

namespace RealNvp.PyTorch;

/// <summary>Finds the state dict in a file: a dictionary whose values are all tensors.</summary>
internal static class StateDicts
{
    /// <summary>The one at a key, or else the only one.</summary>
    public static IReadOnlyDictionary<string, torch.Tensor> Of(PyTorchFile file, string? key)
    {
        if (file.Value is not IReadOnlyDictionary<object, object?> root)
            throw new InvalidDataException(
                $"{file.Name} holds no dictionary, so no state dict. Save it with torch.save(model.state_dict(), path).");
        if (key is not null)
            return root.TryGetValue(key, out var value) && Tensors(value) is { } wanted ? wanted
                : throw new InvalidDataException(
                    $"{file.Name} has no state dict '{FileText.Name(key)}'; it has " +
                        $"{ImportedWeights.Some([.. root.Keys.Select(k => $"{k}")])}.");
        if (Tensors(root) is { } own) return own;
        var found = root.Where(entry => entry.Key is string && Tensors(entry.Value) is not null).ToArray();
        if (found.Length == 1) return Tensors(found[0].Value)!;
        var names = ImportedWeights.Some([.. (found.Length == 0 ? root.Keys : found.Select(f => f.Key)).Select(k => $"{k}")]);
        throw new InvalidDataException(found.Length == 0
            ? $"{file.Name} holds no state dict, a dictionary of tensors alone; it has {names}."
            : $"{file.Name} holds {found.Length} state dicts: {names}. Say which by StateDict = \"...\".");
    }

    private static Dictionary<string, torch.Tensor>? Tensors(object? value)
    {
        if (value is not IReadOnlyDictionary<object, object?> { Count: > 0 } entries
            || !entries.All(entry => entry is { Key: string, Value: torch.Tensor })) return null;
        return entries.ToDictionary(entry => (string)entry.Key, entry => (torch.Tensor)entry.Value!, StringComparer.Ordinal);
    }
}
