using System.Runtime.InteropServices;
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
    private readonly ValueGetter<VBuffer<float>>? features, here;
    private readonly HashSet<int> wanted;
    private readonly int before;
    private readonly float[] rows, finiteRows, own;
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
        here = ahead is null ? null : along.GetGetter<VBuffer<float>>(along.Schema[feature.Index]);
        (rows, finiteRows) = ahead is null ? ([], []) : (new float[BatchSize * scorer.Features], new float[BatchSize * scorer.Features]);
        own = new float[scorer.Features];
    }

    public override DataViewSchema Schema { get; }

    public override long Position => along.Position;

    public override long Batch => along.Batch;

    public override bool IsColumnActive(DataViewSchema.Column column) => wanted.Contains(column.Index);

    public override ValueGetter<DataViewRowId> GetIdGetter() => along.GetIdGetter();

    public override bool MoveNext()
    {
        if (!along.MoveNext())
        {
            // there is no row any more, for the other one neither
            var more = at + 1 < filled || ahead?.MoveNext() == true;
            at = filled = 0;
            return more ? throw Changed() : false;
        }
        if (ahead is null) return true;
        if (++at >= filled) Fill();
        if (filled == 0 || !IsSame()) throw Changed();
        return true;
    }

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        if (!IsColumnActive(column)) throw new ArgumentException($"Column '{column.Name}' was not asked for.", nameof(column));
        if (column.Index < before) return along.GetGetter<TValue>(along.Schema[column.Index]);
        Delegate getter = column.Name switch
        {
            RowScorer.ScoreName => (ValueGetter<float>)((ref float value) => value = scores[Here]),
            RowScorer.LogDensityName => (ValueGetter<float>)((ref float value) => value = logDensity[Here]),
            _ => (ValueGetter<bool>)((ref bool value) => value = scorer.Label(scores[Here])),
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

    private int Here => at >= 0 && at < filled ? at
        : throw new InvalidOperationException("The cursor is before the first row or behind the last one. Call MoveNext, which says so.");

    // rows with NaN or infinity are left out, as a flow refuses them
    private void Fill()
    {
        var width = scorer.Features;
        var finite = filled = 0;
        while (filled < BatchSize && ahead!.MoveNext())
        {
            features!(ref row);
            var place = rows.AsSpan(filled * width, width);
            row.CopyTo(place);
            (scores[filled], logDensity[filled]) = (float.NaN, float.NaN);
            if (AllFinite(place))
            {
                place.CopyTo(finiteRows.AsSpan(finite * width));
                places[finite++] = filled;
            }
            filled++;
        }
        at = 0;
        if (finite == 0) return;
        scorer.Score(finiteRows.AsSpan(0, finite * width), someScores.AsSpan(0, finite), someLogDensity.AsSpan(0, finite));
        for (var i = 0; i < finite; i++)
            (scores[places[i]], logDensity[places[i]]) = (RowScorer.Bounded(someScores[i]), RowScorer.Bounded(someLogDensity[i]));
    }

    // by their bits, as NaN is not NaN
    private bool IsSame()
    {
        here!(ref row);
        row.CopyTo(own);
        return MemoryMarshal.AsBytes(own.AsSpan()).SequenceEqual(MemoryMarshal.AsBytes(rows.AsSpan(at * own.Length, own.Length)));
    }

    private static InvalidOperationException Changed() => new(
        "The table gave other rows at its second reading, so that scores would be of other rows than they stand beside. A table is read " +
        "twice to be scored: keep it by mlContext.Data.Cache(...), or read it from what does not change.");

    private static bool AllFinite(ReadOnlySpan<float> numbers)
    {
        foreach (var number in numbers)
            if (!float.IsFinite(number)) return false;
        return true;
    }
}
