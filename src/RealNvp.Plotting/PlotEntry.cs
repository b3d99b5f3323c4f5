using System.Runtime.CompilerServices;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Plotting;

/// <summary>
/// One entry of a list of numbers for a picture: a number, a label, or a row of numbers. Nobody needs its name: it is what the brackets of
/// <c>new RocCurve([0.2, 0.9], [false, true])</c> and <c>new CornerPlot([[1, 2], [3, 4]])</c> hold.
/// </summary>
/// <remarks>A value that never changes. An entry that is a row is read by <c>foreach</c>; a number is a row of one entry.</remarks>
[CollectionBuilder(typeof(PlotEntry), nameof(Create))]
public readonly struct PlotEntry : IEquatable<PlotEntry>
{
    // a number alone needs no object: lists of scores have millions
    private readonly double number;
    private readonly PlotData? part;

    private PlotEntry(double number, bool isWhole) => (this.number, IsWhole) = (number, isWhole);

    private PlotEntry(PlotData part) => (this.part, IsWhole) = (part, part.IsWhole);

    /// <summary>Whether the entry was written in whole numbers, such as labels.</summary>
    internal bool IsWhole { get; }

    internal long[] Shape => part is null ? [] : [.. part.Shape];

    internal int Count => part is null ? 1 : part.Numbers.Length;

    internal void CopyTo(Span<double> numbers)
    {
        if (part is null) numbers[0] = number;
        else part.Numbers.CopyTo(numbers);
    }

    /// <summary>A number.</summary>
    public static implicit operator PlotEntry(double number) => new(number, isWhole: false);

    /// <summary>A whole number, such as a label or a rank.</summary>
    public static implicit operator PlotEntry(long number) => new(number, isWhole: true);

    /// <summary>A label: true is 1 and false is 0.</summary>
    public static implicit operator PlotEntry(bool label) => new(label ? 1 : 0, isWhole: true);

    /// <summary>A row of numbers.</summary>
    /// <exception cref="ArgumentNullException">The row is null.</exception>
    public static implicit operator PlotEntry(double[] row) => Of(row);

    /// <summary>A row of numbers.</summary>
    /// <exception cref="ArgumentNullException">The row is null.</exception>
    public static implicit operator PlotEntry(float[] row) => Of(row);

    /// <summary>The numbers of a tensor of any shape, which are copied at once: a row, or a number.</summary>
    /// <exception cref="ArgumentNullException">The tensor is null.</exception>
    /// <exception cref="ArgumentException">The tensor is complex.</exception>
    public static implicit operator PlotEntry(Tensor row) => Of(row);

    /// <summary>What brackets inside of brackets make: a row of entries of one shape.</summary>
    /// <exception cref="ArgumentException">The entries differ in shape.</exception>
    public static PlotEntry Create(ReadOnlySpan<PlotEntry> entries) => new(PlotData.Create(entries));

    /// <summary>The entries of a row in order; of a number, itself.</summary>
    public IEnumerator<PlotEntry> GetEnumerator() => part is null ? Enumerable.Repeat(this, 1).GetEnumerator() : part.GetEnumerator();

    /// <summary>Whether both have the same numbers in the same shape.</summary>
    public bool Equals(PlotEntry other) => part is null || other.part is null ? part is null && other.part is null
        && number.Equals(other.number)
        : Shape.AsSpan().SequenceEqual(other.Shape) && part.Numbers.SequenceEqual(other.part.Numbers);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is PlotEntry other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        if (part is null) return number.GetHashCode();
        var hash = new HashCode();
        foreach (var n in part.Numbers) hash.Add(n);
        return hash.ToHashCode();
    }

    /// <summary>Whether both have the same numbers in the same shape.</summary>
    public static bool operator ==(PlotEntry left, PlotEntry right) => left.Equals(right);

    /// <summary>Whether they differ in numbers or shape.</summary>
    public static bool operator !=(PlotEntry left, PlotEntry right) => !left.Equals(right);

    internal static PlotEntry Of(PlotData? row) =>
        new(row ?? throw new ArgumentNullException(nameof(row), "An entry is null; expected a number or a row of numbers."));
}
