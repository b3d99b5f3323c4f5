using global::Parquet;
using global::Parquet.Schema;

namespace RealNvp.Samples.Parquet;

/// <summary>A table to try it with: columns that hang together, the same in each run.</summary>
/// <param name="Rows">The rows.</param>
/// <param name="Columns">The columns, at least 2.</param>
/// <param name="GroupRows">The rows of a row group.</param>
internal sealed record MadeTable(long Rows, int Columns, int GroupRows)
{
    /// <summary>Writes the table, with one row group of it in memory.</summary>
    public void Write(string path)
    {
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder) Directory.CreateDirectory(folder);
        var fields = Enumerable.Range(0, Columns).Select(c => new DataField<float>($"x{c}")).ToArray();
        using var stream = File.Create(path);
        WriteAsync(stream, fields).GetAwaiter().GetResult();
    }

    private async Task WriteAsync(Stream stream, DataField<float>[] fields)
    {
        // numbers that hardly repeat: neither a dictionary nor compression makes them smaller
        var options = new ParquetOptions { CompressionMethod = CompressionMethod.None, DictionaryEncodingThreshold = 0 };
        await using var writer = await ParquetWriter.CreateAsync(new ParquetSchema(fields), stream, options);
        for (long start = 0, number = 0; start < Rows; start += GroupRows, number++)
        {
            var values = Group((int)number, (int)Math.Min(GroupRows, Rows - start));
            using var group = writer.CreateRowGroup();
            for (var c = 0; c < Columns; c++) await group.WriteAsync<float>(fields[c], values[c].AsMemory());
            group.CompleteValidate();
        }
    }

    // each column is a bent line of the one before, with noise
    private float[][] Group(int number, int rows)
    {
        var random = new Random(number);
        var values = Enumerable.Range(0, Columns).Select(_ => new float[rows]).ToArray();
        for (var i = 0; i < rows; i++)
        {
            var last = (2 * random.NextSingle()) - 1;
            values[0][i] = last;
            for (var c = 1; c < Columns; c++) values[c][i] = last = MathF.Sin(3 * last) + (0.2f * (random.NextSingle() - 0.5f));
        }
        return values;
    }
}
