using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RealNvp.Kernels;

/// <summary>As <see cref="MadeRows{T}"/> in one pass and <see cref="MadeSteps{T}"/> feature by feature, for one row of float32 with vectors
/// of 512 bits.</summary>
/// <remarks>
/// <para>Of one row features one after the other are a chain of some hundred products of a few units, each of which waits for the one
/// before. So what a unit sees is in two parts: what was known before this step, which the processor multiplies ahead, and what the layer
/// before has just given, one vector, added last. Sixteen units are one vector from the sum over the lanes to the next product, and all
/// that is read soon after it was written is read as it was written, as whole vectors: else a processor waits until it is in the
/// cache.</para>
/// <para>A window of sixteen units may hold some that are not of this step: their numbers count nowhere, and a mask clears them.</para>
/// </remarks>
/// <param name="made">The network, of a multiple of 16 hidden units a layer.</param>
/// <param name="own">Its weights among those of the plan.</param>
internal sealed unsafe class MadeRow(MadeShape made, NetworkWeights own)
{
    private const int Width = 16;
    private readonly int features = made.Order.Length, last = made.Program.Layers.Count - 1, hidden = made.Program.Layers[0].Outputs,
        known = (made.Order.Length + Width - 1) / Width * Width;

    // the units at the end of the first layer's weight, behind whose numbers a vector would read what is not there
    private readonly int tail = Math.Min(made.Program.Layers[0].Outputs, Width + ((Width - 1 + made.Order.Length - 1) / made.Order.Length));

    // for each step how many vectors hold the features that are known
    private readonly int[] seen =
        [.. Enumerable.Range(0, made.Order.Length).Select(step => (made.Order[..step].Append(-1).Max() + Width) / Width)];

    /// <summary>Whether there is such a processor, and the network is one.</summary>
    public bool CanRun => Avx512F.IsSupported && LaneWidth.Bits == 512 && hidden % Width == 0;

    /// <summary>The numbers of scratch memory that <see cref="Run"/> and <see cref="Pass"/> need, that of the map left out.</summary>
    public long Scratch => RowScratch.Size(known) + RowScratch.Size(((long)tail * features) + Width) + Math.Max(
        RowScratch.Size((2L * hidden * last) + (2 * hidden)) + RowScratch.Size(hidden) + RowScratch.Size((made.PerFeature + 3) * Width),
        RowScratch.Size((2L * Behind) + (2 * hidden) + (4 * Width)));

    /// <summary>As <see cref="MadeSteps{T}.Run"/>.</summary>
    [SkipLocalsInit]
    public void Run(in RowBlock block, int[] at, RowMap<float> map, float* given, RowScratch memory)
    {
        var first = Begin(block, ref memory, out var sees);
        // of each hidden layer its units before this step, zeros for those that are not known, and windows of those of this step
        var units = memory.Take((2L * hidden * last) + (2 * hidden));
        var masks = memory.Take(hidden);
        var raw = memory.Take((made.PerFeature + 3) * Width);
        new Span<float>(units, 2 * hidden * last).Clear();
        var places = stackalloc MadePlace[(hidden / Width * 2) + (known / Width)];
        // numbers that are one in all lanes; those of the next ones are written over the lanes that are too many
        var columns = map.Whole(1);
        var input = raw + (made.PerFeature * columns);
        var elements = new RowElements<float> { Rows = 1, Columns = columns, Raw = raw, Input = input, Value = input + columns,
            LogDerivative = input + (2 * columns) };
        var start = 0;
        for (var step = 0; step < features; step++)
        {
            var (end, feature) = (made.Ends[step], made.Order[step]);
            if (end > start)
            {
                Whole(places, seen[step]);
                Mask(masks, start, end);
                for (int unit = start, window = 0; unit < end; unit += Width, window += Width)
                {
                    nint from = Math.Min(unit, hidden - Width);
                    MadeUnits.Run(sees, places, seen[step], first.Of(from), features, (float*)block.Weights[own.Biases[0]] + from,
                        given == null ? null : given + from, made.Program.IsAddedLater(0) ? Sum(units, 0) + from : null, masks + window,
                        Fresh(units, 0) + window);
                }
            }
            var count = Places(places, start, end);
            if (end > start) Hidden(block, units, places, count, start, end, masks);
            Parameters(block, Known(units, last - 1), places, count, feature, raw, columns);
            var x = block.X + at[feature];
            Vector512.Create((float)*x).Store(input);
            map.RunWhole(elements, block, inverse: true, memory.Take(0));
            *x = *elements.Value;
            block.LogDet[0] += *elements.LogDerivative;
            See(sees, feature, RowLimit<float>.Of(*elements.Value, made.Limit));
            for (var layer = 0; layer < last; layer++) Keep(Known(units, layer), Fresh(units, layer), start, end);
            start = end;
        }
    }

    // the first layer's weight, with a copy of its end
    private readonly struct FirstWeight(float* all, float* end, int before, int features)
    {
        public float* Of(nint unit) => unit >= before ? end + ((unit - before) * features) : all + (unit * features);
    }

    // what the network sees of the features, of none yet, and the first weight
    private FirstWeight Begin(in RowBlock block, ref RowScratch memory, out float* sees)
    {
        sees = memory.Take(known);
        new Span<float>(sees, known).Clear();
        var all = (float*)block.Weights[own.Weights[0]];
        var before = hidden - tail;
        var ends = memory.Take(((long)tail * features) + Width);
        new ReadOnlySpan<float>(all + ((nint)before * features), tail * features).CopyTo(new(ends, tail * features));
        new Span<float>(ends + (tail * features), Width).Clear();
        return new(all, ends, before, features);
    }

    private static void Whole(MadePlace* places, int count)
    {
        for (var i = 0; i < count; i++) places[i] = new() { X = i * Width, Weight = i * Width };
    }

    // behind the units of a layer of a pass, for each step the vector at the end of what it sees
    private int Behind => hidden + (features * Width);

    /// <summary>The parameters of all features in the direction of one pass, layer after layer: those of the first kind of all features,
    /// and so on.</summary>
    /// <param name="block">One row.</param>
    /// <param name="at">Where the features are.</param>
    /// <param name="given">What the context adds; null for nothing.</param>
    /// <param name="raw">Gets them.</param>
    /// <param name="memory">Memory for <see cref="Scratch"/> numbers.</param>
    [SkipLocalsInit]
    public void Pass(in RowBlock block, int[] at, float* given, float* raw, RowScratch memory)
    {
        var first = Begin(block, ref memory, out var sees);
        float* x = memory.Take((2L * Behind) + (2 * hidden) + (4 * Width)), next = x + Behind, sums = next + Behind,
            window = sums + (2 * hidden), ones = window + (2 * Width), mask = ones + Width;
        Vector512<int>.AllBitsSet.Store((int*)ones);
        var places = stackalloc MadePlace[(Math.Max(hidden, known) / Width) + 1];
        Whole(places, Math.Max(hidden, known) / Width);
        for (var layer = 0; layer < last; layer++)
        {
            float* weight = (float*)block.Weights[own.Weights[layer]], bias = (float*)block.Weights[own.Biases[layer]],
                sum = made.Program.IsAddedLater(layer) ? sums + ((layer & 2) == 0 ? 0 : hidden) : null,
                addend = layer == 0 ? given : made.Program.Layers[layer].AddsSkip ? sums + ((layer & 2) == 0 ? hidden : 0) : null;
            var start = 0;
            for (var step = 0; step < features; step++)
            {
                var end = made.Ends[step];
                var count = layer == 0 ? seen[step] : Until(places, step);
                for (; start < end; start += Width)
                {
                    nint from = Math.Min(start, hidden - Width);
                    // numbers behind those of this step are written over by the next ones, those before it are there already
                    var isWhole = from == start;
                    if (!isWhole) Mask(mask, start, end);
                    MadeUnits.Run(layer == 0 ? sees : x, places, count, layer == 0 ? first.Of(from) : weight + (from * hidden),
                        layer == 0 ? features : hidden, bias + from, addend == null ? null : addend + from,
                        sum == null ? null : isWhole ? sum + from : window + Width, ones, isWhole ? next + from : window);
                    if (isWhole) continue;
                    Merge(window, mask, next + from);
                    if (sum != null) Merge(window + Width, mask, sum + from);
                }
                start = end;
                var feature = made.Order[step];
                if (layer == 0) See(sees, feature, RowLimit<float>.Of((float)block.X[at[feature]], made.Limit));
                else places[end / Width].X = end / Width * Width;
            }
            Ends(next);
            var done = next;
            next = x;
            x = done;
        }
        for (var step = 0; step < features; step++)
        {
            var (end, feature, count) = (made.Ends[step], made.Order[step], Until(places, step));
            for (var p = 0; p < made.PerFeature; p++)
                raw[((nint)p * features) + feature] = Parameter(block, x, places, count, p, feature);
            places[end / Width].X = end / Width * Width;
        }
    }

    // what a unit of a step sees in a pass: whole vectors, and the one at the end in place of a whole one
    private int Until(MadePlace* places, int step)
    {
        var whole = made.Ends[step] / Width;
        if (made.Ends[step] % Width == 0) return whole;
        places[whole].X = hidden + (step * Width);
        return whole + 1;
    }

    private void Ends(float* units)
    {
        for (var step = 0; step < features; step++)
        {
            var (whole, rest) = (made.Ends[step] / Width * Width, made.Ends[step] % Width);
            if (rest > 0)
                (Vector512.Load((int*)units + whole) & Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(rest)))
                    .Store((int*)units + hidden + (step * Width));
        }
    }

    private static void Merge(float* window, float* mask, float* to) =>
        Vector512.ConditionalSelect(Vector512.Load(mask), Vector512.Load(window), Vector512.Load(to)).Store(to);

    // behind the units of a layer are its windows, behind all layers what is added later, by turns
    private float* Known(float* units, int layer) => units + ((nint)layer * 2 * hidden);

    private float* Fresh(float* units, int layer) => Known(units, layer) + hidden;

    private float* Sum(float* units, int layer) => units + ((nint)last * 2 * hidden) + ((layer & 2) == 0 ? 0 : hidden);

    // of each window all bits of the units that are of this step
    private void Mask(float* masks, int start, int end)
    {
        for (var unit = start; unit < end; unit += Width, masks += Width)
        {
            var from = Math.Min(unit, hidden - Width);
            var numbers = Vector512<int>.Indices + Vector512.Create(from);
            (Vector512.GreaterThanOrEqual(numbers, Vector512.Create(unit)) & Vector512.LessThan(numbers, Vector512.Create(end)))
                .Store((int*)masks);
        }
    }

    // what a unit of a step sees: vectors of units that were known before, and windows of this step
    private int Places(MadePlace* places, int start, int end)
    {
        var count = 0;
        for (; count * Width < start; count++) places[count] = new() { X = count * Width, Weight = count * Width };
        for (var unit = start; unit < end; unit += Width, count++)
            places[count] = new() { X = hidden + (unit - start), Weight = Math.Min(unit, hidden - Width) };
        return count;
    }

    private void Hidden(in RowBlock block, float* units, MadePlace* places, int count, int start, int end, float* masks)
    {
        for (var layer = 1; layer < last; layer++)
        {
            float* weight = (float*)block.Weights[own.Weights[layer]], bias = (float*)block.Weights[own.Biases[layer]],
                x = Known(units, layer - 1), to = Fresh(units, layer);
            // the sum of the block before is two layers back
            var addend = made.Program.Layers[layer].AddsSkip ? Sum(units, layer - 2) : null;
            var sum = made.Program.IsAddedLater(layer) ? Sum(units, layer) : null;
            for (int unit = start, window = 0; unit < end; unit += Width, window += Width)
            {
                nint from = Math.Min(unit, hidden - Width);
                MadeUnits.Run(x, places, count, weight + (from * hidden), hidden, bias + from, addend == null ? null : addend + from,
                    sum == null ? null : sum + from, masks + window, to + window);
            }
        }
    }

    // each parameter of a feature in all lanes, so that the map reads vectors that were written as such
    private void Parameters(in RowBlock block, float* x, MadePlace* places, int count, int feature, float* raw, int columns)
    {
        for (var p = 0; p < made.PerFeature; p++, raw += columns)
            Vector512.Create(Parameter(block, x, places, count, p, feature)).Store(raw);
    }

    private float Parameter(in RowBlock block, float* x, MadePlace* places, int count, int parameter, int feature)
    {
        var output = ((nint)parameter * features) + feature;
        var weight = (float*)block.Weights[own.Weights[last]] + (output * hidden);
        var sum = Vector512<float>.Zero;
        for (var i = 0; i < count; i++)
            sum = Avx512F.FusedMultiplyAdd(Vector512.Load(x + places[i].X), Vector512.Load(weight + places[i].Weight), sum);
        return Vector512.Sum(sum) + ((float*)block.Weights[own.Biases[last]])[output];
    }

    private static void See(float* features, int feature, float value)
    {
        var at = features + (feature / Width * Width);
        Vector512.ConditionalSelect(Vector512.Equals(Vector512<int>.Indices, Vector512.Create(feature % Width)).AsSingle(),
            Vector512.Create(value), Vector512.Load(at)).Store(at);
    }

    // where a unit of this step was not known there is a zero, and in a window one where there is another unit
    private void Keep(float* units, float* fresh, int start, int end)
    {
        for (var unit = start; unit < end; unit += Width, fresh += Width)
        {
            var at = units + Math.Min(unit, hidden - Width);
            (Vector512.Load((int*)at) | Vector512.Load((int*)fresh)).Store((int*)at);
        }
    }
}
