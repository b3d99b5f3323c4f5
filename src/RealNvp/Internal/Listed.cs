using System.Collections;
using System.Globalization;

namespace RealNvp.Internal;

/// <summary>A list in a record: a copy, so that nobody changes it; equal to another one
/// of equal elements, as members of records are; printed by its elements.</summary>
/// <typeparam name="T">A number, a text, or another value.</typeparam>
internal sealed class Listed<T> : IReadOnlyList<T>, IEquatable<Listed<T>>
{
    // a record of thousands of epochs is still one line
    private const int Shown = 20;

    private readonly T[] items;

    private Listed(T[] items) => this.items = items;

    public int Count => items.Length;

    public T this[int index] => items[index];

    /// <summary>A copy of a list; null of null. A list of this class is itself.</summary>
    public static IReadOnlyList<T>? Of(IReadOnlyList<T>? list) => list is null or Listed<T> ? list : new Listed<T>([.. list]);

    public IEnumerator<T> GetEnumerator() => ((IEnumerable<T>)items).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public bool Equals(Listed<T>? other) => other is not null && items.AsSpan().SequenceEqual(other.items);

    public override bool Equals(object? obj) => Equals(obj as Listed<T>);

    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (var item in items) hash.Add(item);
        return hash.ToHashCode();
    }

    public override string ToString()
    {
        var shown = items.Take(Shown).Select(i => i is IFormattable f ? f.ToString(null, CultureInfo.InvariantCulture) : i?.ToString());
        var more = items.Length > Shown ? string.Create(CultureInfo.InvariantCulture, $", ... {items.Length:N0} in all") : "";
        return $"[{string.Join(", ", shown)}{more}]";
    }
}
