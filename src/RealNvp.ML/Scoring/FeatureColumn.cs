using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace RealNvp.ML.Scoring;

/// <summary>A column of vectors of Single of known size.</summary>
internal sealed class FeatureColumn
{
    private readonly DataViewSchema.Column column;

    private FeatureColumn(DataViewSchema.Column column, int size) => (this.column, Size) = (column, size);

    /// <summary>The number of slots.</summary>
    public int Size { get; }

    /// <exception cref="ArgumentException">There is none of that name, or it is of another type.</exception>
    public static FeatureColumn Of(DataViewSchema schema, string name)
    {
        if (schema.GetColumnOrNull(name) is not { } column) throw Missing(name, schema.Select(c => c.Name));
        return column.Type is VectorDataViewType { Size: > 0 } vector && vector.ItemType == NumberDataViewType.Single
            ? new(column, vector.Size) : throw Wrong(name, column.Type.ToString()!);
    }

    /// <summary>The same for what a pipeline knows before it has data.</summary>
    public static void Check(SchemaShape schema, string name)
    {
        var column = schema.FirstOrDefault(c => c.Name == name);
        if (column.Name is null) throw Missing(name, schema.Select(c => c.Name));
        if (column.Kind != SchemaShape.Column.VectorKind.Vector || column.ItemType != NumberDataViewType.Single)
            throw Wrong(name, $"{column.Kind} of {column.ItemType}");
    }

    /// <exception cref="ArgumentException">Another number of slots.</exception>
    public void Require(int features)
    {
        if (Size != features)
            throw new ArgumentException($"The flow has {features} feature(s), and column '{column.Name}' {Size}.", nameof(features));
    }

    /// <summary>All rows.</summary>
    public DataRows Read(IDataView view)
    {
        var numbers = new List<float>();
        using (var cursor = view.GetRowCursor([column]))
        {
            var get = cursor.GetGetter<VBuffer<float>>(column);
            VBuffer<float> row = default;
            while (cursor.MoveNext())
            {
                get(ref row);
                numbers.AddRange(row.DenseValues());
            }
        }
        return new DataRows(CollectionsMarshal.AsSpan(numbers), Size);
    }

    /// <summary>The names of the slots; the name of the column with a number for a slot without one, or with that of another.</summary>
    public string[] Names(DataViewSchema schema)
    {
        VBuffer<ReadOnlyMemory<char>> slots = default;
        if (schema[column.Index].HasSlotNames()) schema[column.Index].GetSlotNames(ref slots);
        var names = slots.Length == Size ? slots.DenseValues().Select(n => n.ToString()).ToArray() : new string[Size];
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < Size; i++)
            if (string.IsNullOrWhiteSpace(names[i]) || !seen.Add(names[i]))
                names[i] = string.Create(CultureInfo.InvariantCulture, $"{column.Name}[{i}]");
        return names;
    }

    private static ArgumentException Missing(string name, IEnumerable<string> others) => new(
        $"There is no column '{name}'; there are {string.Join(", ", others.Distinct())}. Make it of columns of numbers: " +
        $"mlContext.Transforms.Concatenate(\"{name}\", ...).", nameof(name));

    private static ArgumentException Wrong(string name, string type) => new(
        $"Column '{name}' is {type}; expected a vector of Single of known size. mlContext.Transforms.Concatenate(\"{name}\", ...) makes " +
        "one, Conversion.ConvertType(..., DataKind.Single) converts other numbers.", nameof(name));
}
