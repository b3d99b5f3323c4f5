using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RealNvp.Kernels;

/// <summary>As <see cref="MadeRows{T}"/> in the direction of one pass, for one row of float32 with vectors of 512 bits: sixteen units at a
/// time, as they lie, whatever steps they are of.</summary>
/// <remarks>
/// What such units all see is a number of whole vectors. Behind it each of them has, for each vector, a place of its own: the vector
/// itself, that of its step, in which numbers that it does not see are zeros, or a vector of zeros. All these places are known from the
/// order of the features.
/// </remarks>
internal sealed unsafe class MadePass
{
    private const int Width = 16;
    private readonly MadeShape made;
    private readonly NetworkWeights own;
    private readonly int features, last, hidden, known;
    private readonly bool[] addsSkip, isAddedLater;

    // the step at whose end a feature is known; behind the last one a number that no step has
    private readonly int[] rank;
    private readonly Windows first, inner;

    private MadePass(MadeShape made, NetworkWeights own)
    {
        (this.made, this.own) = (made, own);
        var layers = made.Program.Layers;
        (features, last, hidden, known) = (made.Order.Length, layers.Count - 1, layers[0].Outputs, Whole(made.Order.Length));
        addsSkip = [.. layers.Select(layer => layer.AddsSkip)];
        isAddedLater = [.. layers.Select((_, i) => made.Program.IsAddedLater(i))];
        rank = new int[known];
        Array.Fill(rank, int.MaxValue);
        for (var step = 0; step < features; step++) rank[made.Order[step]] = step;
        (first, inner) = (Windows.OfFeatures(made), Windows.OfUnits(made));
    }

    private static int Whole(int count) => (count + Width - 1) / Width * Width;

    // behind the units of a layer, for each step the vector at the end of what it sees, and one of zeros
    private int Row => hidden + ((features + 1) * Width);

    /// <summary>It for a network; null if the processor has no such vectors, or layers are not of a multiple of 16 units, or have fewer
    /// than there are features: what each step sees of the features is written out.</summary>
    public static MadePass? Of(MadeShape made, NetworkWeights own) => Avx512F.IsSupported && made.Program.Layers.Count > 1
        && made.Program.Layers[0].Outputs is var hidden && hidden % Width == 0 && made.Order.Length <= hidden ? new(made, own) : null;

    /// <summary>Whether vectors are of 512 bits now.</summary>
    public static bool CanRun => LaneWidth.Bits == 512;

    /// <summary>The numbers of scratch memory that <see cref="Run"/> needs.</summary>
    public long Scratch => RowScratch.Size(((long)features + 1) * Width) + RowScratch.Size((features + 1L) * known)
        + RowScratch.Size(2L * Row) + RowScratch.Size(2L * hidden) + RowScratch.Size((long)made.Program.Outputs * Width);

    /// <summary>The parameters of all features: those of the first kind of all features, and so on.</summary>
    /// <param name="block">One row.</param>
    /// <param name="at">Where the features are.</param>
    /// <param name="given">What the context adds to the first layer; null for nothing.</param>
    /// <param name="raw">Gets them.</param>
    /// <param name="memory">Memory for <see cref="Scratch"/> numbers.</param>
    [SkipLocalsInit]
    public void Run(in RowBlock block, int[] at, float* given, float* raw, RowScratch memory)
    {
        float* end = memory.Take(((long)features + 1) * Width), steps = memory.Take((features + 1L) * known), x = memory.Take(2L * Row),
            next = x + Row, sums = memory.Take(2L * hidden), dots = memory.Take((long)made.Program.Outputs * Width);
        See(block, at, steps + (features * known), steps);
        for (var layer = 0; layer < last; layer++)
        {
            float* weight = (float*)block.Weights[own.Weights[layer]], bias = (float*)block.Weights[own.Biases[layer]],
                sum = isAddedLater[layer] ? sums + ((layer & 2) == 0 ? 0 : hidden) : null,
                addend = layer == 0 ? given : addsSkip[layer] ? sums + ((layer & 2) == 0 ? hidden : 0) : null;
            if (layer == 0) Layer(first, steps, weight, End(weight, end), features, bias, addend, sum, next);
            else Layer(inner, x, weight, weight + ((nint)(hidden - Width) * hidden), hidden, bias, addend, sum, next);
            Ends(next);
            var done = next;
            next = x;
            x = done;
        }
        Parameters(block, x, dots, raw);
    }

    // what the units of each step see of the features
    private void See(in RowBlock block, int[] at, float* all, float* steps)
    {
        for (var i = 0; i < features; i++) all[i] = (float)block.X[at[i]];
        new Span<float>(all + features, known - features).Clear();
        if (made.Limit != 0) InputLimit.Apply(all, known, made.Limit);
        fixed (int* ranks = rank)
            for (var i = 0; i < known; i += Width)
            {
                var (numbers, until) = (Vector512.Load(all + i).AsInt32(), Vector512.Load(ranks + i));
                var to = steps + i;
                for (var step = 0; step < features; step++, to += known)
                    (numbers & Vector512.LessThan(until, Vector512.Create(step))).AsSingle().Store(to);
            }
    }

    // the numbers of the last sixteen units of the first layer, with zeros behind them: a vector reads beyond those of a unit
    private float* End(float* weight, float* copy)
    {
        new ReadOnlySpan<float>(weight + ((nint)(hidden - Width) * features), Width * features).CopyTo(new(copy, Width * features));
        Vector512<float>.Zero.Store(copy + (Width * features));
        return copy;
    }

    private void Layer(Windows windows, float* x, float* weight, float* end, nint apart, float* bias, float* addend, float* sum, float* to)
    {
        fixed (int* places = windows.Places)
            for (nint unit = 0, i = 0; unit < hidden; unit += Width, i++)
            {
                var window = windows.All[i];
                MadeUnits.Window(x, window.Whole, places + window.At, window.Parts, unit < hidden - Width ? weight + (unit * apart) : end,
                    apart, bias + unit, addend == null ? null : addend + unit, sum == null ? null : sum + unit, to + unit);
            }
    }

    private void Ends(float* units)
    {
        var to = units + hidden;
        for (var step = 0; step < features; step++, to += Width)
        {
            var known = made.Ends[step];
            if (known % Width is not 0 and var rest)
                (Vector512.Load((int*)units + (known - rest)) & Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(rest)))
                    .Store((int*)to);
        }
        Vector512<float>.Zero.Store(to);
    }

    // a vector of sums for each parameter, and then sixteen of them are one vector
    private void Parameters(in RowBlock block, float* x, float* dots, float* raw)
    {
        float* weight = (float*)block.Weights[own.Weights[last]], bias = (float*)block.Weights[own.Biases[last]];
        nint apart = (nint)features * hidden;
        for (var step = 0; step < features; step++)
        {
            int feature = made.Order[step], sees = made.Ends[step], whole = sees / Width * Width;
            float* w = weight + ((nint)feature * hidden), to = dots + (feature * Width), behind = x + hidden + (step * Width);
            for (var p = 0; p < made.PerFeature; p++, w += apart, to += features * Width)
            {
                var sum = Vector512<float>.Zero;
                for (nint i = 0; i < whole; i += Width)
                    sum = Avx512F.FusedMultiplyAdd(Vector512.Load(x + i), Vector512.Load(w + i), sum);
                if (whole < sees) sum = Avx512F.FusedMultiplyAdd(Vector512.Load(behind), Vector512.Load(w + whole), sum);
                sum.Store(to);
            }
        }
        var count = made.Program.Outputs;
        if (count < Width)
            for (var i = 0; i < count; i++) raw[i] = Vector512.Sum(Vector512.Load(dots + (i * Width))) + bias[i];
        else
            for (var i = 0; i < count; i += Width)
            {
                // so that the last vector is whole, some come once more
                var output = Math.Min(i, count - Width);
                (MadeUnits.Sum(dots + (output * Width)) + Vector512.Load(bias + output)).Store(raw + output);
            }
    }

    // sixteen units side by side: the whole vectors that all of them see, and how many vectors there are of which they see parts
    private readonly record struct Window(int Whole, int Parts, int At);

    // the units of a layer, and of each vector of which they see parts sixteen places
    private sealed class Windows(Window[] all, int[] places)
    {
        public Window[] All => all;

        public int[] Places => places;

        // behind one another is what each step sees
        public static Windows OfFeatures(MadeShape made)
        {
            var known = MadePass.Whole(made.Order.Length);
            int[] seen = [.. Enumerable.Range(0, made.Order.Length).Select(step => (made.Order[..step].Append(-1).Max() + Width) / Width)];
            return Of(made, step => (0, seen[step]), (step, vector) => (step * known) + (vector * Width));
        }

        public static Windows OfUnits(MadeShape made)
        {
            var (hidden, features) = (made.Program.Layers[0].Outputs, made.Order.Length);
            return Of(made, step => (made.Ends[step] / Width, (made.Ends[step] + Width - 1) / Width), (step, vector) =>
                vector < made.Ends[step] / Width ? vector * Width
                : hidden + ((vector * Width < made.Ends[step] ? step : features) * Width));
        }

        private static Windows Of(MadeShape made, Func<int, (int Whole, int End)> sees, Func<int, int, int> place)
        {
            var windows = new List<Window>();
            var places = new List<int>();
            for (var unit = 0; unit < made.Program.Layers[0].Outputs; unit += Width)
            {
                int[] steps = [.. Enumerable.Range(unit, Width).Select(u => Array.FindIndex(made.Ends, end => u < end))];
                var (whole, end) = (steps.Min(step => sees(step).Whole), steps.Max(step => sees(step).End));
                windows.Add(new(whole, end - whole, places.Count));
                for (var vector = whole; vector < end; vector++) places.AddRange(steps.Select(step => place(step, vector)));
            }
            return new([.. windows], [.. places]);
        }
    }
}
