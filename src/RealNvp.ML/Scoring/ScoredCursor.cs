using Microsoft.ML;
using Microsoft.ML.Data;

namespace RealNvp.ML.Scoring;

/// <summary>One cursor walks along the rows; another one runs up to a batch ahead of it and feeds the flows.</summary>
internal sealed class ScoredCursor : DataViewRowCursor
{
    private const int BatchSize = 1024;

    private readonly RowScorer scorer;
    private readonly DataViewRowCursor along;
    private readonly DataViewRowCursor? ahead;
    private readonly ValueGetter<VBuffer<float>>? features;
    private readonly HashSet<int> wanted;
    private readonly int before;
    private readonly float[] rows;
    private readonly float[] scores = new float[BatchSize], logDensity = new float[BatchSize];
    private readonly double[] someScores = new double[BatchSize], someLogDensity = new double[BatchSize];
    private readonly int[] places = new int[BatchSize];
    private VBuffer<float> row;
    private int at = -1, filled;

    public ScoredCursor(RowScorer scorer, DataViewSchema schema, DataViewRowCursor along, DataViewRowCursor? ahead,
        DataViewSchema.Column feature, HashSet<int> wanted)
    {
        (this.scorer, Schema, this.along, this.ahead, this.wanted) = (scorer, schema, along, ahead, wanted);
        before = along.Schema.Count;
        features = ahead?.GetGetter<VBuffer<float>>(ahead.Schema[feature.Index]);
        rows = ahead is null ? [] : new float[BatchSize * scorer.Features];
    }

    public override DataViewSchema Schema { get; }

    public override long Position => along.Position;

    public override long Batch => along.Batch;

    public override bool IsColumnActive(DataViewSchema.Column column) => column.Index >= before ? wanted.Contains(column.Index)
        : along.IsColumnActive(along.Schema[column.Index]);

    public override ValueGetter<DataViewRowId> GetIdGetter() => along.GetIdGetter();

    public override bool MoveNext()
    {
        if (!along.MoveNext()) return false;
        if (ahead is not null && ++at >= filled) Fill();
        return true;
    }

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        if (column.Index < before) return along.GetGetter<TValue>(along.Schema[column.Index]);
        if (!IsColumnActive(column)) throw new ArgumentException($"Column '{column.Name}' was not asked for.", nameof(column));
        Delegate getter = column.Name switch
        {
            RowScorer.ScoreName => (ValueGetter<float>)((ref float value) => value = scores[at]),
            RowScorer.LogDensityName => (ValueGetter<float>)((ref float value) => value = logDensity[at]),
            _ => (ValueGetter<bool>)((ref bool value) => value = scorer.Label(scores[at])),
        };
        return getter as ValueGetter<TValue>
            ?? throw new ArgumentException($"Column '{column.Name}' is {column.Type}, not {typeof(TValue).Name}.", nameof(column));
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            along.Dispose();
            ahead?.Dispose();
        }
        base.Dispose(disposing);
    }

    // rows with NaN or infinity are left out, as a flow refuses them
    private void Fill()
    {
        var width = scorer.Features;
        var finite = filled = 0;
        while (filled < BatchSize && ahead!.MoveNext())
        {
            features!(ref row);
            var place = rows.AsSpan(finite * width, width);
            row.CopyTo(place);
            (scores[filled], logDensity[filled]) = (float.NaN, float.NaN);
            if (AllFinite(place)) places[finite++] = filled;
            filled++;
        }
        at = 0;
        if (finite == 0) return;
        scorer.Score(rows.AsSpan(0, finite * width), someScores.AsSpan(0, finite), someLogDensity.AsSpan(0, finite));
        for (var i = 0; i < finite; i++)
            (scores[places[i]], logDensity[places[i]]) = (RowScorer.Bounded(someScores[i]), RowScorer.Bounded(someLogDensity[i]));
    }

    private static bool AllFinite(ReadOnlySpan<float> numbers)
    {
        foreach (var number in numbers)
            if (!float.IsFinite(number)) return false;
        return true;
    }
}
