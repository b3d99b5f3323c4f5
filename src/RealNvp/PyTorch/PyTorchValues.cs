using System.Collections.ObjectModel;
using System.Globalization;
using System.Numerics;
using TorchSharp;

namespace RealNvp.PyTorch;

/// <summary>Turns what a pickle gave into what a user gets: tensors in the place of their descriptions, and lists and dictionaries that
/// nobody can change. Throws <see cref="FormatException"/>.</summary>
internal sealed class PyTorchValues(PyTorchTensors tensors, int pickleBytes)
{
    private const int MaxDepth = 64, MaxName = 1 << 12, MaxNames = 1 << 26;

    private readonly Dictionary<string, torch.Tensor> named = new(StringComparer.Ordinal);
    private int values, names;

    /// <summary>The tensors, by the keys on the way to them with dots between.</summary>
    public IReadOnlyDictionary<string, torch.Tensor> Named => named;

    /// <summary>One value, with all that is in it.</summary>
    public object? Of(object? value) => Of(value, "", 0);

    private object? Of(object? value, string name, int depth)
    {
        // a list may be in itself, and one list in many others: what is written once can be met without end
        if (depth > MaxDepth) throw new FormatException($"its values are nested more than {MaxDepth} deep");
        if (++values > pickleBytes) throw new FormatException("it has more values than its pickle has bytes: lists are in one another");
        switch (value)
        {
            case null or bool or long or double or string or BigInteger: return value;
            case PickleTensor description:
                var tensor = tensors.Of(description);
                names += name.Length;
                if (name.Length > MaxName || names > MaxNames)
                    throw new FormatException($"a name of a tensor has {name.Length} characters, and all have {names}; {MaxName} and " +
                        $"{MaxNames} are the most that are read");
                if (!named.TryAdd(name, tensor))
                    throw new FormatException($"it has two tensors that are both called '{FileText.Name(name)}'");
                return tensor;
            case PickleDictionary dictionary:
                var items = new OrderedDictionary<object, object?>();
                foreach (var (key, item) in dictionary) items.Add(key, Of(item, Joined(name, key), depth + 1));
                return new ReadOnlyDictionary<object, object?>(items);
            case IReadOnlyList<object?> list:
                var all = new object?[list.Count];
                for (var i = 0; i < all.Length; i++) all[i] = Of(list[i], Joined(name, (long)i), depth + 1);
                return Array.AsReadOnly(all);
            case PickleName function: throw PickleCalls.Refused(function);
            default: throw new FormatException($"it has a storage that is in no tensor, and {PickleCalls.Known}");
        }
    }

    private static string Joined(string name, object key)
    {
        var last = Convert.ToString(key, CultureInfo.InvariantCulture)!;
        // deep names are of no tensor, or refused with it
        return name.Length == 0 ? last : name.Length > MaxName ? name : $"{name}.{last}";
    }
}
