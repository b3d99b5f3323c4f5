using System.Collections;
using System.Runtime.CompilerServices;

namespace RealNvp;

/// <summary>The shape of one example, without the batch dimension: <c>[D]</c> for a vector, <c>[C, H, W]</c> for an image.</summary>
/// <remarks>
/// A size of -1 means "any size". Two shapes are equal when they have the same sizes in the same order.
/// Write one as a collection expression: <c>EventShape shape = [3, 32, 32];</c>
/// </remarks>
[CollectionBuilder(typeof(EventShape), nameof(Create))]
[System.Text.Json.Serialization.JsonConverter(typeof(EventShapeJsonConverter))]
public readonly struct EventShape : IEquatable<EventShape>, IReadOnlyList<long>
{
    // an example whose numbers an int cannot count is a mistake: 8 GB in float32, each
    private const long MostElements = int.MaxValue;

    private readonly long[]? sizes;

    private EventShape(long[] sizes) => this.sizes = sizes;

    /// <summary>Makes a shape from its sizes, each at least 1, or -1 for "any size".</summary>
    /// <exception cref="ArgumentException">A size is 0 or less than -1, or they make more than 2147483647 elements.</exception>
    public static EventShape Create(params ReadOnlySpan<long> sizes)
    {
        long elements = 1;
        foreach (var size in sizes)
        {
            if (size is 0 or < -1)
                throw new ArgumentException($"A shape holds sizes of at least 1 (or -1 for any size); got {Format(sizes)}.", nameof(sizes));
            if (size > MostElements / elements)
                throw new ArgumentException(
                    $"A shape is that of one example, of at most {MostElements} elements; got {Format(sizes)}. Give the shape without " +
                    $"the number of examples.", nameof(sizes));
            if (size > 0) elements *= size;
        }
        return new EventShape(sizes.ToArray());
    }

    /// <summary>The number of dimensions.</summary>
    public int Count => sizes?.Length ?? 0;

    /// <summary>The size of dimension <paramref name="index"/>; the first is 0.</summary>
    public long this[int index] => (uint)index < (uint)Count ? sizes![index]
        : throw new ArgumentOutOfRangeException(nameof(index), index, $"The shape {this} has {Count} dimension(s).");

    /// <summary>True if no size is -1.</summary>
    public bool IsFixed => sizes is null || Array.TrueForAll(sizes, s => s >= 0);

    /// <summary>The number of elements of one example: the product of the sizes.</summary>
    /// <exception cref="InvalidOperationException">A size is -1.</exception>
    public long NumElements
    {
        get
        {
            if (!IsFixed) throw new InvalidOperationException($"The shape {this} has a free size, so its number of elements is not known.");
            long n = 1;
            foreach (var size in this) n *= size;
            return n;
        }
    }

    /// <summary>The sizes as a new array.</summary>
    public long[] ToArray() => sizes is null ? [] : (long[])sizes.Clone();

    /// <summary>The sizes as a new array, with <paramref name="batch"/> sizes in front.</summary>
    public long[] WithBatch(params ReadOnlySpan<long> batch) => [.. batch, .. sizes ?? []];

    /// <summary>True if <paramref name="actual"/> has as many dimensions and every size is equal or is -1 here.</summary>
    public bool Matches(ReadOnlySpan<long> actual)
    {
        if (actual.Length != Count) return false;
        for (var i = 0; i < actual.Length; i++)
            if (sizes![i] != -1 && sizes[i] != actual[i]) return false;
        return true;
    }

    /// <summary>The sizes as an array.</summary>
    public static implicit operator EventShape(long[] sizes)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        return Create(sizes);
    }

    /// <inheritdoc/>
    public bool Equals(EventShape other) => (sizes ?? []).AsSpan().SequenceEqual(other.sizes ?? []);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is EventShape other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (var size in sizes ?? []) hash.Add(size);
        return hash.ToHashCode();
    }

    /// <summary>True if both have the same sizes in the same order.</summary>
    public static bool operator ==(EventShape left, EventShape right) => left.Equals(right);

    /// <summary>True if the sizes differ.</summary>
    public static bool operator !=(EventShape left, EventShape right) => !left.Equals(right);

    /// <summary>The sizes in round brackets, such as <c>(3, 32, 32)</c>; <c>*</c> stands for any size.</summary>
    public override string ToString() => Format(sizes);

    /// <inheritdoc/>
    public IEnumerator<long> GetEnumerator() => ((IEnumerable<long>)(sizes ?? [])).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal static string Format(ReadOnlySpan<long> sizes)
    {
        var parts = new string[sizes.Length];
        for (var i = 0; i < sizes.Length; i++)
            parts[i] = sizes[i] == -1 ? "*" : sizes[i].ToString(System.Globalization.CultureInfo.InvariantCulture);
        return parts.Length == 1 ? $"({parts[0]},)" : $"({string.Join(", ", parts)})";
    }
}
