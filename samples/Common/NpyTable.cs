using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.RegularExpressions;

namespace RealNvp.Samples.Common;

/// <summary>A table of numbers in numpy's format, version 1 to 3, of numbers, also as <c>.npy.gz</c>.</summary>
public static partial class NpyTable
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
        return Of(bytes, path);
    }

    /// <summary>The rows X and the labels y of a <c>.npz</c>: a label other than 0 is an anomaly.</summary>
    public static (double[][] Rows, bool[] IsAnomaly) ReadLabelled(string path)
    {
        using var archive = ZipFile.OpenRead(path);
        double[][] Part(string name)
        {
            using var stream = (archive.GetEntry(name) ?? throw new InvalidDataException($"{path} has no {name}.")).Open();
            using var memory = new MemoryStream();
            stream.CopyTo(memory);
            return Of(memory.ToArray(), $"{name} of {path}");
        }
        return (Part("X.npy"), [.. Part("y.npy").Select(r => r[0] != 0)]);
    }

    private static double[][] Of(byte[] bytes, string path)
    {
        var (length, start) = bytes[6] == 1 ? (BitConverter.ToUInt16(bytes, 8), 10) : (BitConverter.ToInt32(bytes, 8), 12);
        var match = Header().Match(Encoding.ASCII.GetString(bytes, start, length));
        if (!match.Success) throw new InvalidDataException($"{path} must hold a list or a matrix of numbers of up to 8 bytes.");
        var (type, rows) = (match.Groups["type"].Value.TrimStart('<', '|'), Number("rows"));
        var columns = match.Groups["columns"].Length > 0 ? Number("columns") : 1;
        var (byColumn, size, at) = (match.Groups["order"].Value == "True", type[1] - '0', start + length);
        var table = new double[rows][];
        for (var row = 0; row < rows; row++)
        {
            table[row] = new double[columns];
            for (var column = 0; column < columns; column++)
                table[row][column] = Value(type, bytes, at + (size * (byColumn ? (column * rows) + row : (row * columns) + column)));
        }
        return table;

        int Number(string group) => int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);
    }

    private static double Value(string type, byte[] bytes, int at) => type switch
    {
        "f4" => BitConverter.ToSingle(bytes, at),
        "f8" => BitConverter.ToDouble(bytes, at),
        "u1" => bytes[at],
        "i2" => BitConverter.ToInt16(bytes, at),
        "i4" => BitConverter.ToInt32(bytes, at),
        "i8" => BitConverter.ToInt64(bytes, at),
        _ => throw new InvalidDataException($"Numbers of numpy's type {type} are not read."),
    };

    [GeneratedRegex(
        @"'descr':\s*'(?<type>[<|][fiu][1248])'.*'fortran_order':\s*(?<order>True|False).*'shape':\s*\((?<rows>\d+),\s*(?<columns>\d*)\)")]
    private static partial Regex Header();
}
