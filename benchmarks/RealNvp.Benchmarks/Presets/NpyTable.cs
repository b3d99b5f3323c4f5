using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.RegularExpressions;

namespace RealNvp.Benchmarks.Presets;

/// <summary>A table of numbers in numpy's format, version 1 to 3, of float32 or float64, also as <c>.npy.gz</c>.</summary>
internal static partial class NpyTable
{
    /// <summary>The tables of a folder, by name.</summary>
    public static IEnumerable<string> Files(string folder) =>
        Directory.EnumerateFiles(folder).Where(f => f.EndsWith(".npy", StringComparison.Ordinal)
            || f.EndsWith(".npy.gz", StringComparison.Ordinal)).Order(StringComparer.Ordinal);

    /// <summary>Reads a table: rows of as many numbers.</summary>
    public static double[][] Read(string path)
    {
        using var file = File.OpenRead(path);
        using Stream stream = path.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionMode.Decompress) : file;
        using var memory = new MemoryStream();
        stream.CopyTo(memory);
        var bytes = memory.ToArray();
        if (bytes.Length < 12 || bytes[0] != 0x93 || Encoding.ASCII.GetString(bytes, 1, 5) != "NUMPY")
            throw new InvalidDataException($"{path} is no file of numpy's format.");
        var (length, start) = bytes[6] == 1 ? (BitConverter.ToUInt16(bytes, 8), 10) : (BitConverter.ToInt32(bytes, 8), 12);
        var match = Header().Match(Encoding.ASCII.GetString(bytes, start, length));
        if (!match.Success) throw new InvalidDataException($"{path} must hold a matrix of float32 or float64 numbers, row after row.");
        int size = match.Groups["size"].ValueSpan[0] - '0', rows = Number("rows"), columns = Number("columns");
        var at = start + length;
        var table = new double[rows][];
        for (var row = 0; row < rows; row++)
        {
            table[row] = new double[columns];
            for (var column = 0; column < columns; column++, at += size)
                table[row][column] = size == 4 ? BitConverter.ToSingle(bytes, at) : BitConverter.ToDouble(bytes, at);
        }
        return table;

        int Number(string group) => int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(@"'descr':\s*'<f(?<size>[48])'.*'fortran_order':\s*False.*'shape':\s*\((?<rows>\d+),\s*(?<columns>\d+)\)")]
    private static partial Regex Header();
}
