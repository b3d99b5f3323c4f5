using System.Buffers;
using DuckDB.NET.Data;
using DuckDB.NET.Data.DataChunk.Reader;
using DuckDB.NET.Data.DataChunk.Writer;

namespace RealNvp.Samples.Scoring;

/// <summary>A flow as a function of SQL: <c>SELECT log_prob(a, b, c) FROM 'rows.parquet'</c>.</summary>
/// <remarks>DuckDB calls it for some two thousand rows at a time, on several threads at once, which a flow allows. It holds these rows
/// and nothing more, so a table may be of any size.</remarks>
internal static class FlowFunction
{
    /// <summary>Makes <c>log_prob</c> known to a connection: as many numbers as the
    /// flow has features, NULL for a row with NULL, NaN or infinity in it, or with a number that the flow's dtype cannot hold.</summary>
    /// <param name="connection">An open connection.</param>
    /// <param name="flow">The flow, in evaluation mode; keep it as long as the connection.</param>
    /// <param name="name">What SQL calls it.</param>
    public static void Register(DuckDBConnection connection, Flow flow, string name = "log_prob") =>
        connection.RegisterScalarFunction<double, double>(name, (readers, writer, count) => Score(flow, name, readers, writer, (int)count),
            @params: true);

    private static void Score(Flow flow, string name, IReadOnlyList<IDuckDBDataReader> columns, IDuckDBDataWriter writer, int count)
    {
        var features = (int)flow.InputShape.NumElements;
        if (columns.Count != features)
            throw new ArgumentException($"{name} takes {features} numbers, the features of the flow in their order; got {columns.Count}.");
        var (rows, scores) = (ArrayPool<double>.Shared.Rent(count * features), ArrayPool<double>.Shared.Rent(count));
        var places = ArrayPool<int>.Shared.Rent(count);
        try
        {
            // rows that can be scored, one after the other, and where they came from
            var known = 0;
            for (var i = 0; i < count; i++)
                if (Read(columns, (ulong)i, rows.AsSpan(known * features, features))) places[known++] = i;
                else writer.WriteNull((ulong)i);
            if (known > 0) Score(flow, rows.AsSpan(0, known * features), scores);
            for (var k = 0; k < known; k++)
                if (double.IsNaN(scores[k])) writer.WriteNull((ulong)places[k]);
                else writer.WriteValue(scores[k], (ulong)places[k]);
        }
        finally
        {
            ArrayPool<double>.Shared.Return(rows);
            ArrayPool<double>.Shared.Return(scores);
            ArrayPool<int>.Shared.Return(places);
        }
    }

    // NaN for a row that the flow cannot hold, such as 1e308 in float32: one such row does not end a query of millions
    private static void Score(Flow flow, ReadOnlySpan<double> rows, double[] scores)
    {
        try { flow.LogProbInto(rows, scores); }
        catch (NonFiniteException) when (rows.Length > flow.InputShape.NumElements)
        {
            var features = (int)flow.InputShape.NumElements;
            for (var k = 0; k * features < rows.Length; k++)
                try { flow.LogProbInto(rows.Slice(k * features, features), scores.AsSpan(k, 1)); }
                catch (NonFiniteException) { scores[k] = double.NaN; }
            // then it is the flow, and no row
            if (scores.AsSpan(0, rows.Length / features).IndexOfAnyExcept(double.NaN) < 0) throw;
        }
    }

    private static bool Read(IReadOnlyList<IDuckDBDataReader> columns, ulong row, Span<double> into)
    {
        for (var c = 0; c < into.Length; c++)
        {
            if (!columns[c].IsValid(row)) return false;
            into[c] = columns[c].GetValue<double>(row);
            if (!double.IsFinite(into[c])) return false;
        }
        return true;
    }
}
