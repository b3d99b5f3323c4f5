using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RealNvp.Kernels;

/// <summary>As <see cref="MadeSteps{T}"/>, feature by feature, for one row of float32 with vectors of 512 bits.</summary>
/// <remarks>
/// <para>Of one row features one after the other are a chain of some hundred products of a few units, each of which waits for the one
/// before. So what a unit sees is in two parts: what was known before this step, which the processor multiplies ahead, and what the layer
/// before has just given, one vector, added last. Sixteen units are one vector from the sum over the lanes to the next product, and all
/// that is read soon after it was written is read as it was written, as whole vectors: else a processor waits until it is in the
/// cache.</para>
/// <para>A window of sixteen units may hold some that are not of this step: their numbers count nowhere, and a mask clears them.</para>
/// </remarks>
internal sealed unsafe class MadeRow
{
    private const int Width = 16;
    private readonly MadeShape made;
    private readonly NetworkWeights own;
    private readonly int features, last, hidden, known;
    private readonly bool[] addsSkip, isAddedLater;

    // the units at the end of the first layer's weight, behind whose numbers a vector would read what is not there
    private readonly int tail;

    // the product of a hidden layer behind the first one
    private readonly delegate*<float*, MadePlace*, int, float*, nint, float*, float*, float*, float*, float*, void> run;

    // for each step, what the tables behind hold for it
    private readonly Step[] steps;

    // vectors of features; for each step vectors of units that were known before, and windows of this step
    private readonly MadePlace[] places;

    // of each window of a step all bits of the units that are of it
    private readonly int[] masks;

    /// <summary>A step: its units, how many vectors hold the features that are known, its places and its masks.</summary>
    private readonly record struct Step(int Start, int End, int Seen, int Places, int Count, int Masks);

    private MadeRow(MadeShape made, NetworkWeights own)
    {
        (this.made, this.own) = (made, own);
        var layers = made.Program.Layers;
        (features, last, hidden) = (made.Order.Length, layers.Count - 1, layers[0].Outputs);
        known = (features + Width - 1) / Width * Width;
        run = hidden switch
        {
            64 => &MadeUnits.Run<Apart64>,
            128 => &MadeUnits.Run<Apart128>,
            256 => &MadeUnits.Run<Apart256>,
            _ => &MadeUnits.Run<AnyApart>,
        };
        tail = Math.Min(hidden, Width + ((Width - 1 + features - 1) / features));
        addsSkip = [.. layers.Select(layer => layer.AddsSkip)];
        isAddedLater = [.. layers.Select((_, i) => made.Program.IsAddedLater(i))];
        steps = new Step[features];
        var (all, bits) = (new List<MadePlace>(), new List<int>());
        for (var i = 0; i < known; i += Width) all.Add(new() { X = i, Weight = i });
        for (int step = 0, start = 0, seen = 0; step < features; start = made.Ends[step++])
        {
            var (end, first) = (made.Ends[step], all.Count);
            for (var unit = 0; unit < start; unit += Width) all.Add(new() { X = unit, Weight = unit });
            for (var unit = start; unit < end; unit += Width)
                all.Add(new() { X = hidden + (unit - start), Weight = Math.Min(unit, hidden - Width) });
            steps[step] = new(start, end, seen, first, all.Count - first, bits.Count);
            for (var unit = start; unit < end; unit += Width)
                bits.AddRange(Enumerable.Range(Math.Min(unit, hidden - Width), Width).Select(i => i >= unit && i < end ? -1 : 0));
            seen = Math.Max(seen, (made.Order[step] / Width) + 1);
        }
        (places, masks) = ([.. all], [.. bits]);
    }

    /// <summary>It for a network; null if the processor has no such vectors, or layers are not of a multiple of 16 units.</summary>
    public static MadeRow? Of(MadeShape made, NetworkWeights own) => Avx512F.IsSupported && made.Program.Layers.Count > 1
        && made.Program.Layers[0].Outputs % Width == 0 ? new(made, own) : null;

    /// <summary>Whether vectors are of 512 bits now.</summary>
    public static bool CanRun => LaneWidth.Bits == 512;

    /// <summary>The numbers of scratch memory that <see cref="Run"/> needs, that of the map left out.</summary>
    public long Scratch => RowScratch.Size(known) + RowScratch.Size(((long)tail * features) + Width)
        + RowScratch.Size((2L * hidden * last) + (2 * hidden)) + RowScratch.Size((made.PerFeature + 3) * Width);

    /// <summary>As <see cref="MadeSteps{T}.Run"/>.</summary>
    [SkipLocalsInit]
    public void Run(in RowBlock block, int[] at, RowMap<float> map, float* given, RowScratch memory)
    {
        var first = Begin(block, ref memory, out var sees);
        // of each hidden layer its units before this step, zeros for those that are not known, and windows of those of this step
        var units = memory.Take((2L * hidden * last) + (2 * hidden));
        var raw = memory.Take((made.PerFeature + 3) * Width);
        new Span<float>(units, 2 * hidden * last).Clear();
        // numbers that are one in all lanes; those of the next ones are written over the lanes that are too many
        var columns = map.Whole(1);
        var input = raw + (made.PerFeature * columns);
        var elements = new RowElements<float> { Rows = 1, Columns = columns, Raw = raw, Input = input, Value = input + columns,
            LogDerivative = input + (2 * columns) };
        fixed (MadePlace* allPlaces = places)
        fixed (int* allMasks = masks)
            for (var i = 0; i < features; i++)
            {
                ref readonly var step = ref steps[i];
                var feature = made.Order[i];
                var seen = allPlaces + step.Places;
                var mask = (float*)allMasks + step.Masks;
                for (int unit = step.Start, window = 0; unit < step.End; unit += Width, window += Width)
                {
                    nint from = Math.Min(unit, hidden - Width);
                    MadeUnits.Run<AnyApart>(sees, allPlaces, step.Seen, first.Of(from), features,
                        (float*)block.Weights[own.Biases[0]] + from, given == null ? null : given + from,
                        isAddedLater[0] ? Sum(units, 0) + from : null, mask + window, Fresh(units, 0) + window);
                }
                if (step.End > step.Start) Hidden(block, units, seen, step, mask);
                Parameters(block, Known(units, last - 1), seen, step.Count, feature, raw, columns);
                var x = block.X + at[feature];
                Vector512.Create((float)*x).Store(input);
                map.RunWhole(elements, block, inverse: true, memory.Take(0));
                *x = *elements.Value;
                block.LogDet[0] += *elements.LogDerivative;
                See(sees, feature, RowLimit<float>.Of(*elements.Value, made.Limit));
                for (var layer = 0; layer < last; layer++) Keep(Known(units, layer), Fresh(units, layer), step.Start, step.End);
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

    // behind the units of a layer are its windows, behind all layers what is added later, by turns
    private float* Known(float* units, int layer) => units + ((nint)layer * 2 * hidden);

    private float* Fresh(float* units, int layer) => Known(units, layer) + hidden;

    private float* Sum(float* units, int layer) => units + ((nint)last * 2 * hidden) + ((layer & 2) == 0 ? 0 : hidden);

    private void Hidden(in RowBlock block, float* units, MadePlace* places, in Step step, float* masks)
    {
        for (var layer = 1; layer < last; layer++)
        {
            float* weight = (float*)block.Weights[own.Weights[layer]], bias = (float*)block.Weights[own.Biases[layer]],
                x = Known(units, layer - 1), to = Fresh(units, layer);
            // the sum of the block before is two layers back
            var addend = addsSkip[layer] ? Sum(units, layer - 2) : null;
            var sum = isAddedLater[layer] ? Sum(units, layer) : null;
            for (int unit = step.Start, window = 0; unit < step.End; unit += Width, window += Width)
            {
                nint from = Math.Min(unit, hidden - Width);
                run(x, places, step.Count, weight + (from * hidden), hidden, bias + from, addend == null ? null : addend + from,
                    sum == null ? null : sum + from, masks + window, to + window);
            }
        }
    }

    // each parameter of a feature in all lanes, so that the map reads vectors that were written as such
    private void Parameters(in RowBlock block, float* x, MadePlace* places, int count, int feature, float* raw, int columns)
    {
        float* weight = (float*)block.Weights[own.Weights[last]] + ((nint)feature * hidden),
            bias = (float*)block.Weights[own.Biases[last]] + feature;
        nint apart = (nint)features * hidden;
        var p = 0;
        // two chains of additions wait no longer than one
        for (; p + 2 <= made.PerFeature; p += 2, weight += 2 * apart, bias += 2 * features, raw += 2 * columns)
        {
            Vector512<float> a = default, b = default;
            for (var i = 0; i < count; i++)
            {
                var v = Vector512.Load(x + places[i].X);
                a = Avx512F.FusedMultiplyAdd(v, Vector512.Load(weight + places[i].Weight), a);
                b = Avx512F.FusedMultiplyAdd(v, Vector512.Load(weight + apart + places[i].Weight), b);
            }
            Vector512.Create(Vector512.Sum(a) + *bias).Store(raw);
            Vector512.Create(Vector512.Sum(b) + bias[features]).Store(raw + columns);
        }
        if (p == made.PerFeature) return;
        Vector512<float> sum = default;
        for (var i = 0; i < count; i++)
            sum = Avx512F.FusedMultiplyAdd(Vector512.Load(x + places[i].X), Vector512.Load(weight + places[i].Weight), sum);
        Vector512.Create(Vector512.Sum(sum) + *bias).Store(raw);
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
