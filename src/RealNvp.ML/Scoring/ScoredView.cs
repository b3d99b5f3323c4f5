using Microsoft.ML;

namespace RealNvp.ML.Scoring;

/// <summary>A table with the columns of a scorer, which are computed as rows are read.</summary>
internal sealed class ScoredView(RowScorer scorer, DataViewSchema schema, IDataView source, DataViewSchema.Column feature) : IDataView
{
    public DataViewSchema Schema => schema;

    public bool CanShuffle => false;

    public long? GetRowCount() => source.GetRowCount();

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        var (before, wanted) = (source.Schema.Count, columnsNeeded.Select(c => c.Index).ToHashSet());
        var scores = wanted.Any(i => i >= before);
        var along = source.GetRowCursor(source.Schema.Where(c => wanted.Contains(c.Index) || (scores && c.Index == feature.Index)));
        return new ScoredCursor(scorer, schema, along, scores ? source.GetRowCursor([feature]) : null, feature, wanted);
    }
}
