using System.Globalization;
using DuckDB.NET.Data;

namespace RealNvp.Samples.Scoring;

/// <summary>DuckDB in this process, without a file of its own, and with a limit of its memory.</summary>
internal sealed class Database : IDisposable
{
    public Database(int threads, int megabytes)
    {
        Connection.Open();
        Run(string.Create(CultureInfo.InvariantCulture, $"SET threads = {threads}"));
        Run(string.Create(CultureInfo.InvariantCulture, $"SET memory_limit = '{megabytes}MB'"));
        // rows may come in any order, so that none wait for others
        Run("SET preserve_insertion_order = false");
    }

    public DuckDBConnection Connection { get; } = new("Data Source=:memory:");

    /// <summary>Runs a statement.</summary>
    /// <returns>How many rows it wrote, or the first number of its first row.</returns>
    public object? Run(string sql)
    {
        using var command = Connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    /// <summary>The rows of a query of doubles.</summary>
    public double[,] Rows(string sql)
    {
        using var command = Connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        var rows = new List<double[]>();
        while (reader.Read()) rows.Add([.. Enumerable.Range(0, reader.FieldCount).Select(reader.GetDouble)]);
        var result = new double[rows.Count, reader.FieldCount];
        for (var i = 0; i < rows.Count; i++)
            for (var j = 0; j < reader.FieldCount; j++) result[i, j] = rows[i][j];
        return result;
    }

    /// <summary>A path or a name as SQL has it.</summary>
    public static string Text(string path) => $"'{path.Replace("'", "''", StringComparison.Ordinal)}'";

    public void Dispose() => Connection.Dispose();
}
