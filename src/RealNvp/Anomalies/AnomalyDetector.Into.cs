using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>Scores into memory of the caller's.</content>
public sealed partial class AnomalyDetector
{
    /// <summary>Scores rows into spans of the caller's.</summary>
    /// <param name="rows">N · D numbers, row by row.</param>
    /// <param name="scores">Takes N scores.</param>
    /// <param name="logProb">Takes the means of log p(x) over the members, without the columns that are constant; minus infinity if one
    /// of these has another value. Empty if they are not wanted.</param>
    /// <param name="cancellationToken">Ends the call between two batches.</param>
    /// <returns>N.</returns>
    /// <exception cref="ArgumentException">A part of a row, NaN or infinity, or too small a span; the message names rows and
    /// columns.</exception>
    /// <exception cref="ObjectDisposedException">The detector, or the flow that it was made of, is disposed.</exception>
    public int ScoreInto(ReadOnlySpan<float> rows, Span<double> scores, Span<double> logProb = default,
        CancellationToken cancellationToken = default)
    {
        const string owner = $"{nameof(AnomalyDetector)}.{nameof(ScoreInto)}";
        var columns = Columns.Count;
        if (rows.Length % columns != 0)
            throw new ArgumentException($"{owner} takes rows of {columns} numbers; got {rows.Length} numbers.", nameof(rows));
        var count = rows.Length / columns;
        if (scores.Length < count)
            throw new ArgumentException($"{owner} writes {count} score(s); the span takes {scores.Length}.", nameof(scores));
        if (logProb.Length > 0 && logProb.Length < count)
            throw new ArgumentException($"{owner} writes {count} log-densities; the span takes {logProb.Length}.", nameof(logProb));
        using var held = new HeldFlows(members.Select(m => m.Flow));
        for (var start = 0; start < count; start += (int)RowsAtATime)
        {
            using var scope = NewDisposeScope();
            using var gradients = no_grad();
            var size = Math.Min((int)RowsAtATime, count - start);
            var numbers = rows.Slice(start * columns, size * columns).ToArray();
            var x = Checked(tensor(numbers, [size, columns], device: CPU), Columns, nameof(rows), owner);
            var part = Scored(Kept(x), owner, cancellationToken);
            part.Scores.CopyTo(scores[start..]);
            if (logProb.Length > 0) part.LogProb.CopyTo(logProb[start..]);
            for (var c = 0; c < columns; c++)
                if (Columns[c].Constant is { } constant)
                    for (var i = 0; i < size; i++)
                        // the constant of rows in double may have been rounded on its way here
                        if (numbers[(i * columns) + c] != (float)constant)
                        {
                            scores[start + i] = double.PositiveInfinity;
                            if (logProb.Length > 0) logProb[start + i] = double.NegativeInfinity;
                        }
        }
        return count;
    }
}
