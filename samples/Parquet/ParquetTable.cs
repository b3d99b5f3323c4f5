using System.Runtime.InteropServices;
using global::Parquet;
using global::Parquet.Schema;
using RealNvp.Samples.Common;

namespace RealNvp.Samples.Parquet;

/// <summary>The columns of numbers of a Parquet file, read one row group at a time.</summary>
internal sealed class ParquetTable : IDisposable
{
    private readonly string path;
    private readonly ParquetReader reader;
    private readonly DataField[] fields;

    private ParquetTable(string path, ParquetReader reader, DataField[] fields, IReadOnlyList<string> others)
    {
        (this.path, this.reader, this.fields, Others) = (path, reader, fields, others);
        GroupRows = [.. Enumerable.Range(0, reader.RowGroupCount).Select(group =>
        {
            using var opened = reader.OpenRowGroupReader(group);
            return checked((int)opened.RowCount);
        })];
    }

    public IReadOnlyList<string> Columns => Array.ConvertAll(fields, f => f.Name);

    /// <summary>Columns that hold no numbers, which are not read.</summary>
    public IReadOnlyList<string> Others { get; }

    /// <summary>The rows of each row group.</summary>
    public IReadOnlyList<int> GroupRows { get; }

    /// <summary>Opens a file, of which only the end is read yet: what it holds, and where.</summary>
    /// <param name="path">The file.</param>
    /// <param name="ignore">Columns to leave out.</param>
    /// <param name="open">Opens the file; null for a stream of it.</param>
    /// <exception cref="DataFormatException">The file is no Parquet, or has no column of numbers.</exception>
    public static ParquetTable Open(string path, IReadOnlyList<string> ignore, Func<string, Stream>? open = null)
    {
        ParquetReader reader;
        try
        {
            reader = ParquetReader.CreateAsync(open?.Invoke(path) ?? File.OpenRead(path), leaveStreamOpen: false).GetAwaiter().GetResult();
        }
        catch (Exception e) when (e is not (FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException))
        {
            throw new DataFormatException($"{path} cannot be read as Parquet: {e.Message}", e);
        }
        var all = reader.Schema.GetDataFields();
        if (ignore.FirstOrDefault(name => !all.Any(f => f.Name == name)) is { } missing)
            throw new DataFormatException($"{path} has no column {missing}. It has {string.Join(", ", all.Select(f => f.Name))}.");
        DataField[] kept = [.. all.Where(f => !ignore.Contains(f.Name))], numbers = [.. kept.Where(IsNumber)];
        if (numbers.Length == 0)
            throw new DataFormatException($"{path} has no column of numbers (float, double, int32, int64) to learn from. It has " +
                $"{string.Join(", ", all.Select(f => $"{f.Name} ({f.ClrType.Name})"))}.");
        return new ParquetTable(path, reader, numbers, [.. kept.Except(numbers).Select(f => f.Name)]);
    }

    /// <summary>Reads a row group, and nothing else of the file.</summary>
    /// <param name="group">Its number.</param>
    /// <param name="into">The numbers of the first column, then those of the second, and so on.</param>
    /// <exception cref="DataFormatException">A cell holds no number.</exception>
    public void Read(int group, Memory<float> into)
    {
        using var opened = reader.OpenRowGroupReader(group);
        var rows = GroupRows[group];
        for (var c = 0; c < fields.Length; c++)
        {
            var (field, column) = (fields[c], into.Slice(c * rows, rows));
            var empty = field.ClrType == typeof(float) ? Read<float>(opened, field, column.Span, rows, column)
                : field.ClrType == typeof(double) ? Read<double>(opened, field, column.Span, rows)
                : field.ClrType == typeof(int) ? Read<int>(opened, field, column.Span, rows)
                : Read<long>(opened, field, column.Span, rows);
            if (empty >= 0)
                throw new DataFormatException(
                    $"{path}: column {field.Name} is NULL in row {empty} of row group {group}. A density needs all numbers of a row: " +
                    $"fill the cell, or leave out the row or the column (--ignore).");
        }
    }

    public void Dispose() => reader.DisposeAsync().AsTask().GetAwaiter().GetResult();

    private static bool IsNumber(DataField field) => !field.IsArray && field.MaxRepetitionLevel == 0
        && (field.ClrType == typeof(float) || field.ClrType == typeof(double) || field.ClrType == typeof(int)
            || field.ClrType == typeof(long));

    // the row of the first cell without a number; -1 if there is none
    private static int Read<T>(ParquetRowGroupReader group, DataField field, Span<float> into, int rows, Memory<T> direct = default)
        where T : unmanaged, System.Numerics.INumber<T>
    {
        if (field.IsNullable)
        {
            var cells = new T?[rows];
            group.ReadAsync<T>(field, cells.AsMemory()).AsTask().GetAwaiter().GetResult();
            for (var i = 0; i < rows; i++)
            {
                if (cells[i] is not { } value) return i;
                into[i] = float.CreateTruncating(value);
            }
            return -1;
        }
        var values = direct.IsEmpty ? new T[rows] : direct;
        group.ReadAsync<T>(field, values).AsTask().GetAwaiter().GetResult();
        if (!direct.IsEmpty) return -1;
        for (var i = 0; i < rows; i++) into[i] = float.CreateTruncating(values.Span[i]);
        return -1;
    }
}
