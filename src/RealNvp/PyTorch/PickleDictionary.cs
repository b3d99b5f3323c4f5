using System.Collections;

namespace RealNvp.PyTorch;

/// <summary>A dictionary of a pickle, in its order. Keys are texts, whole numbers and booleans.</summary>
internal sealed class PickleDictionary : IReadOnlyDictionary<object, object?>
{
    private readonly OrderedDictionary<object, object?> items = new(Keyed.Instance);

    /// <summary>Sets the value of a key; throws <see cref="FormatException"/> for a key of another type.</summary>
    public void Put(object? key, object? value)
    {
        if (key is not (string or long or bool))
            throw new FormatException("its pickle has a dictionary whose keys are neither texts nor whole numbers");
        items[key] = value;
    }

    public object? this[object key] => items[key];

    public IEnumerable<object> Keys => items.Keys;

    public IEnumerable<object?> Values => items.Values;

    public int Count => items.Count;

    public bool ContainsKey(object key) => items.ContainsKey(key);

    public bool TryGetValue(object key, out object? value) => items.TryGetValue(key, out value);

    public IEnumerator<KeyValuePair<object, object?>> GetEnumerator() => items.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    // the hash of a long is no secret, so a file could hold many with the same
    private sealed class Keyed : IEqualityComparer<object>
    {
        public static readonly Keyed Instance = new();

        bool IEqualityComparer<object>.Equals(object? x, object? y) => Equals(x, y);

        int IEqualityComparer<object>.GetHashCode(object key) =>
            key is long number ? HashCode.Combine((int)number, (int)(number >> 32)) : key.GetHashCode();
    }
}
