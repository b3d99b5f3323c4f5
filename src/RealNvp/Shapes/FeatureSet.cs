using System.Collections;
using System.Runtime.CompilerServices;

namespace RealNvp;

/// <summary>Some of the features of a vector, by their indices from 0, in ascending order: <c>FeatureSet angles = [0, 3];</c></summary>
/// <remarks>Two sets are equal if they have the same indices. The default is the empty set.</remarks>
[CollectionBuilder(typeof(FeatureSet), nameof(Create))]
[System.Text.Json.Serialization.JsonConverter(typeof(FeatureSetJsonConverter))]
public readonly struct FeatureSet : IEquatable<FeatureSet>, IReadOnlyList<int>
{
    private readonly int[]? features;

    private FeatureSet(int[] features) => this.features = features;

    /// <summary>Makes a set from indices in any order.</summary>
    /// <exception cref="ArgumentException">An index is negative or comes twice.</exception>
    public static FeatureSet Create(params ReadOnlySpan<int> features)
    {
        var sorted = features.ToArray();
        Array.Sort(sorted);
        for (var i = 0; i < sorted.Length; i++)
            if (sorted[i] < 0 || (i > 0 && sorted[i] == sorted[i - 1]))
                throw new ArgumentException($"A set of features holds indices from 0, each once; got [{string.Join(", ", sorted)}].",
                    nameof(features));
        return new FeatureSet(sorted);
    }

    /// <summary>The features 0 to <paramref name="count"/> − 1.</summary>
    public static FeatureSet All(long count) =>
        new([.. Enumerable.Range(0, (int)Internal.Check.NotNegative(count, nameof(count), "The number of features"))]);

    /// <summary>The number of features.</summary>
    public int Count => features?.Length ?? 0;

    /// <summary>The feature at a position of the ascending order.</summary>
    public int this[int index] => features is null ? throw new ArgumentOutOfRangeException(nameof(index)) : features[index];

    /// <summary>Whether a feature is in the set.</summary>
    public bool Contains(int feature) => Array.BinarySearch(features ?? [], feature) >= 0;

    /// <summary>The features of a vector of <paramref name="count"/> that are not in the set.</summary>
    public FeatureSet Complement(long count)
    {
        var set = this;
        return new([.. Enumerable.Range(0, checked((int)count)).Where(i => !set.Contains(i))]);
    }

    /// <inheritdoc/>
    public bool Equals(FeatureSet other) => (features ?? []).AsSpan().SequenceEqual(other.features ?? []);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is FeatureSet other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (var feature in features ?? []) hash.Add(feature);
        return hash.ToHashCode();
    }

    /// <summary>Whether both have the same features.</summary>
    public static bool operator ==(FeatureSet left, FeatureSet right) => left.Equals(right);

    /// <summary>Whether the features differ.</summary>
    public static bool operator !=(FeatureSet left, FeatureSet right) => !left.Equals(right);

    /// <summary>The indices in square brackets.</summary>
    public override string ToString() => $"[{string.Join(", ", features ?? [])}]";

    /// <inheritdoc/>
    public IEnumerator<int> GetEnumerator() => ((IEnumerable<int>)(features ?? [])).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Throws if a feature is not one of a vector, or if there is none.</summary>
    internal void Require(long count, string parameter, string owner)
    {
        if (Count == 0) throw new ArgumentException($"{owner} needs at least one feature; got none.", parameter);
        if (this[Count - 1] >= count)
            throw new ArgumentException($"{owner} is for examples of {count} feature(s), 0 to {count - 1}; got feature {this[Count - 1]}.",
                parameter);
    }
}
