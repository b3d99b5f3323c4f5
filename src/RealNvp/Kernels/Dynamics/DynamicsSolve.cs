using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>
/// Solves for some rows of a batch, all of a solve at once: a block of rows takes its steps together, each
/// row from its own time with its own step, and a row that is done leaves its place to the next one.
/// </summary>
internal sealed unsafe class DynamicsSolve<TLanes, T>
    where TLanes : struct, ILanes<TLanes, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly DynamicsJob<T> job;
    private readonly DynamicsBlock<TLanes, T> block;
    private readonly DynamicsRecord<T>? record;
    private readonly int rows, width, stages;
    private readonly T* state, point, before, times;
    private readonly T*[] slopes;
    private readonly double* time, step, error;
    private readonly long* counts;
    private readonly byte* taken;
    // which row of the batch is at a place of the block, -1 for none
    private readonly int[] rowAt;

    /// <param name="job">The solve.</param>
    /// <param name="vectors">The vectors of rows in a block.</param>
    /// <param name="memory">As many elements as <see cref="Size"/>.</param>
    public DynamicsSolve(DynamicsJob<T> job, int vectors, T* memory)
    {
        (this.job, stages) = (job, job.Scheme.Count);
        new Span<T>(memory, checked((int)Size(job, vectors))).Clear();
        record = job.Records is null ? null : new DynamicsRecord<T>(job.Call.Width);
        block = new(job.Call, vectors, memory);
        memory += DynamicsBlock<TLanes, T>.Size(job.Call, vectors);
        (rows, width) = (block.Rows, job.Call.Width);
        rowAt = new int[rows];
        T* Take(nint size)
        {
            var at = memory;
            memory += size;
            return at;
        }
        // what has 8 bytes first, so that it lies well
        time = (double*)Take(Eights(rows));
        step = (double*)Take(Eights(rows));
        error = (double*)Take(Eights(rows));
        counts = (long*)Take(4 * Eights(rows));
        var part = (nint)rows * width;
        state = Take(part);
        point = Take(part);
        before = Take(part);
        slopes = new T*[stages];
        for (var i = 0; i < stages; i++) slopes[i] = Take(part);
        times = Take(rows);
        taken = (byte*)Take(rows);
    }

    /// <summary>The elements of memory that a solve needs.</summary>
    public static long Size(DynamicsJob<T> job, int vectors)
    {
        var rows = vectors * TLanes.Count;
        return DynamicsBlock<TLanes, T>.Size(job.Call, vectors) + (7 * Eights(rows)) + (2 * rows)
            + ((3L + job.Scheme.Count) * rows * job.Call.Width);
    }

    /// <summary>Solves for the rows first ... end - 1.</summary>
    public void Run(int first, int end)
    {
        for (var row = first; row < end; row += rows) Begin(row, Math.Min(rows, end - row));
        Array.Fill(rowAt, -1);
        new Span<long>(counts + (2 * rows), rows).Fill(OdeControl.Done);
        new Span<double>(step, rows).Clear();
        var (next, active) = (first, 0);
        while (true)
        {
            for (var place = 0; place < rows; place++)
                while (rowAt[place] < 0 && next < end)
                {
                    if (Enter(place, next++)) active++;
                }
            if (active == 0) break;
            Step();
            if (job.IsOver) break;
            for (var place = 0; place < rows; place++)
            {
                if (rowAt[place] < 0 || counts[(2 * rows) + place] == OdeControl.Active) continue;
                Leave(place);
                active--;
            }
        }
        if (record is not null) job.Records!.Add(record);
    }

    private static nint Eights(int count) => sizeof(T) == sizeof(double) ? count : 2 * count;

    // the slopes and the first steps of as many rows as a block has
    private void Begin(int row, int count)
    {
        var control = job.Control;
        Copy(job.State + ((nint)row * width), state, count);
        for (var i = 0; i < count; i++)
        {
            times[i] = T.CreateTruncating(control.Start);
            block.Place(i, row + i);
            job.Time[row + i] = control.Start;
            for (var k = 0; k < 4; k++) job.Counts[(4 * (nint)(row + i)) + k] = 0;
            job.Step[row + i] = control.IsAdaptive
                ? control.Sign * Math.Min(job.FirstStep ?? 0, Math.Abs(control.End - control.Start))
                : (control.End - control.Start) / control.FixedSteps;
        }
        if (!control.IsAdaptive) return;
        block.Evaluate(state, times, slopes[0]);
        Copy(slopes[0], job.Slope + ((nint)row * width), count);
        if (job.FirstStep is not null) return;
        new Span<long>(counts + (2 * rows), 2 * rows).Clear();
        fixed (double* weights = control.Weights)
        {
            var start = new OdeStartKernel<T>
            {
                State = state,
                Slope = slopes[0],
                Trial = point,
                TrialSlope = slopes[1],
                TrialTime = times,
                Step = step,
                Status = counts + (2 * rows),
                Worst = counts + (3 * rows),
                Weights = weights,
                Width = width,
                Control = control,
            };
            for (var i = 0; i < count; i++) start.First(i);
            block.Evaluate(point, times, slopes[1]);
            for (var i = 0; i < count; i++)
            {
                start.Second(i);
                job.Step[row + i] = step[i];
                for (var k = 2; k < 4; k++) job.Counts[(4 * (nint)(row + i)) + k] = counts[(k * rows) + i];
            }
        }
    }

    private void Copy(T* from, T* to, int count) =>
        new ReadOnlySpan<T>(from, count * width).CopyTo(new Span<T>(to, count * width));

    // false for a row that cannot begin
    private bool Enter(int place, int row)
    {
        if (job.Counts[(4 * (nint)row) + 2] != OdeControl.Active) return false;
        rowAt[place] = row;
        Copy(job.State + ((nint)row * width), state + (place * width), 1);
        Copy(job.Slope + ((nint)row * width), slopes[0] + (place * width), 1);
        (time[place], step[place], error[place]) = (job.Control.Start, job.Step[row], 1);
        for (var k = 0; k < 4; k++) counts[(k * rows) + place] = 0;
        block.Place(place, row);
        return true;
    }

    private void Leave(int place)
    {
        var row = rowAt[place];
        Copy(state + (place * width), job.State + ((nint)row * width), 1);
        (job.Time[row], job.Step[row]) = (time[place], step[place]);
        for (var k = 0; k < 4; k++) job.Counts[(4 * (nint)row) + k] = counts[(k * rows) + place];
        (rowAt[place], step[place]) = (-1, 0);
    }

    private void Step()
    {
        var scheme = job.Scheme;
        var isFirstLast = scheme.Error is not null;
        if (!isFirstLast)
        {
            for (var i = 0; i < rows; i++) times[i] = T.CreateTruncating(time[i]);
            block.Evaluate(state, times, slopes[0]);
        }
        for (var i = 1; i < stages; i++)
        {
            Point(scheme.Stages[i], scheme.Nodes[i]);
            block.Evaluate(point, times, slopes[i]);
        }
        if (!isFirstLast) Point(scheme.Weights, 1);
        if (record is null) Take();
        else Recorded();
    }

    private void Point(double[] weights, double node)
    {
        var pointers = stackalloc T*[OdeStageKernel<T>.Most];
        var factors = stackalloc double[OdeStageKernel<T>.Most];
        var count = Weighted(weights, pointers, factors);
        new OdeStageKernel<T>(state, pointers, factors, count, time, step, node, point, times, width, 0, rows).Run<TLanes>();
    }

    private void Recorded()
    {
        Copy(state, before, rows);
        double* times = stackalloc double[rows], steps = stackalloc double[rows];
        for (var i = 0; i < rows; i++) (times[i], steps[i]) = (time[i], step[i]);
        Take();
        var count = 0;
        for (var i = 0; i < rows; i++)
        {
            if (taken[i] == 0) continue;
            record!.Add(rowAt[i], times[i], steps[i], new ReadOnlySpan<T>(before + (i * width), width));
            count++;
        }
        job.Count((long)count * width * sizeof(T));
    }

    private void Take()
    {
        var pointers = stackalloc T*[OdeStageKernel<T>.Most];
        var factors = stackalloc double[OdeStageKernel<T>.Most];
        var (scheme, control) = (job.Scheme, job.Control);
        fixed (double* weights = control.Weights)
        {
            new OdeTakeKernel<T>
            {
                State = state,
                Next = point,
                Slope = slopes[0],
                EndSlope = scheme.Error is null ? null : slopes[stages - 1],
                Slopes = pointers,
                ErrorWeights = factors,
                Count = scheme.Error is null ? 0 : Weighted(scheme.Error, pointers, factors),
                Weights = weights,
                Time = time,
                Step = step,
                Error = error,
                Accepted = counts,
                Rejected = counts + rows,
                Status = counts + (2 * rows),
                Worst = counts + (3 * rows),
                Taken = taken,
                Width = width,
            }.With(control).Rows(0, rows);
        }
    }

    // those with a weight
    private int Weighted(double[] weights, T** pointers, double* factors)
    {
        var count = 0;
        for (var j = 0; j < weights.Length; j++)
        {
            if (weights[j] == 0) continue;
            pointers[count] = slopes[j];
            factors[count++] = weights[j];
        }
        return count;
    }
}
