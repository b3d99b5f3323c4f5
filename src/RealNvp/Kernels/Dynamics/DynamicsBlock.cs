using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>Evaluates the velocity of a block of rows, and its divergence, without anything for gradients.</summary>
/// <remarks>
/// Rows lie in lanes, some vectors of them; with tangents one, and the tangents of a row are columns beside it. A few
/// tangents go with the rows through each product, the others follow in groups, for which slopes are kept.
/// </remarks>
internal sealed unsafe class DynamicsBlock<TLanes, T>
    where TLanes : struct, ILanes<TLanes, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const int Group = 3;

    private readonly DynamicsCall<T> call;
    private readonly DynamicsProgram program;
    private readonly int vectors, tangents, first;
    private readonly T* x, seen, activated, divergence;
    private readonly T*[] scales, slopes, gateOffsets, shiftOffsets;
    private T* here, next;

    /// <param name="call">The velocity.</param>
    /// <param name="vectors">The vectors of rows; 1 if there are tangents.</param>
    /// <param name="memory">As many elements as <see cref="Size"/>.</param>
    public DynamicsBlock(DynamicsCall<T> call, int vectors, T* memory)
    {
        (this.call, program, this.vectors, tangents) = (call, call.Program, vectors, call.Tangents);
        first = Math.Min(tangents, Group - 1);
        var count = program.Layers.Length;
        (scales, slopes, gateOffsets, shiftOffsets) = (new T*[count], new T*[count], new T*[count], new T*[count]);
        T* Take(int features, int columns)
        {
            var at = memory;
            memory += (nint)LaneProduct.Padded(features) * columns * TLanes.Count;
            return at;
        }
        x = Take(program.Features, vectors);
        seen = Take(program.Times, vectors);
        activated = Take(program.Widest, vectors);
        divergence = Take(1, vectors);
        var columns = Columns(call, vectors);
        here = Take(program.Widest, columns);
        next = Take(program.Widest, columns);
        for (var i = 0; i < count; i++)
        {
            var outputs = program.Layers[i].Outputs;
            slopes[i] = Take(outputs, vectors);
            if (program.Layers[i].IsGated) scales[i] = Take(outputs, vectors);
            if (call.Layers[i].GateOffset != null) gateOffsets[i] = Take(outputs, vectors);
            if (call.Layers[i].ShiftOffset != null) shiftOffsets[i] = Take(outputs, vectors);
        }
    }

    /// <summary>The rows of a block.</summary>
    public int Rows => vectors * TLanes.Count;

    /// <summary>The elements of memory that a block needs.</summary>
    public static long Size(DynamicsCall<T> call, int vectors)
    {
        var program = call.Program;
        var size = (long)vectors * (LaneProduct.Padded(program.Features) + LaneProduct.Padded(program.Times)
            + LaneProduct.Padded(program.Widest) + LaneProduct.Panel);
        size += 2L * Columns(call, vectors) * LaneProduct.Padded(program.Widest);
        foreach (var layer in program.Layers) size += 4L * vectors * LaneProduct.Padded(layer.Outputs);
        return size * TLanes.Count;
    }

    /// <summary>Sets what the context of a row of the batch adds to gates and shifts, for a row of the block.</summary>
    public void Place(int slot, long row)
    {
        for (var i = 0; i < program.Layers.Length; i++)
        {
            var outputs = program.Layers[i].Outputs;
            Scatter(call.Layers[i].GateOffset, gateOffsets[i], outputs, slot, row);
            Scatter(call.Layers[i].ShiftOffset, shiftOffsets[i], outputs, slot, row);
        }
    }

    /// <summary>dx/dt (rows, D), and the divergence behind it if it is wanted.</summary>
    /// <param name="points">x, in rows of <see cref="DynamicsCall{T}.Width"/> numbers.</param>
    /// <param name="times">t of each row.</param>
    /// <param name="into">Gets the slopes, in rows of as many numbers.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Evaluate(T* points, T* times, T* into)
    {
        var width = call.Width;
        for (var row = 0; row < Rows; row++)
            for (var d = 0; d < program.Features; d++) x[(d * Rows) + row] = points[(row * width) + d];
        DynamicsTimes.Write(times, Rows, Math.Max(1, program.Times), seen);
        new Span<T>(divergence, Rows).Clear();
        Values(width, into);
        if (call.Divergence == DynamicsDivergence.Joined) Joined();
        for (var start = first; start < tangents; start += Group) Tangents(start, Math.Min(Group, tangents - start));
        if (call.Divergence == DynamicsDivergence.None) return;
        for (var row = 0; row < Rows; row++) into[(row * width) + program.Features] = divergence[row];
    }

    private static int Columns(DynamicsCall<T> call, int vectors) => call.Tangents == 0 ? vectors : Group;

    // the rows, and the first tangents beside them
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Values(int width, T* into)
    {
        var columns = vectors + first;
        T* input = x;
        nint stride = vectors * TLanes.Count;
        var last = program.Layers.Length - 1;
        for (var i = 0; i < last; i++)
        {
            var layer = program.Layers[i];
            LaneProduct.Multiply<TLanes, T>(call.Layers[i].Panels, layer.Outputs, layer.Inputs, input, stride, next,
                columns * TLanes.Count, i == 0 ? vectors : columns);
            Activate(i, next, columns);
            Swap();
            input = here;
            stride = columns * TLanes.Count;
        }
        var end = program.Layers[last];
        LaneProduct.Multiply<TLanes, T>(call.Layers[last].Panels, end.Outputs, end.Inputs, input, stride, next, vectors * TLanes.Count,
            vectors);
        Shifted(last, next, vectors, activated);
        for (var row = 0; row < Rows; row++)
            for (var d = 0; d < program.Features; d++) into[(row * width) + d] = activated[(d * Rows) + row];
        for (var k = 0; k < first; k++) AddDiagonal(k, input + ((vectors + k) * TLanes.Count), stride);
    }

    // more tangents, by the slopes that are known
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Tangents(int start, int count)
    {
        nint stride = count * TLanes.Count;
        var last = program.Layers.Length - 1;
        for (var i = 0; i < last; i++)
        {
            var layer = program.Layers[i];
            if (i > 0)
            {
                LaneProduct.Multiply<TLanes, T>(call.Layers[i].Panels, layer.Outputs, layer.Inputs, here, stride, next, stride, count);
                Swap();
            }
            for (var o = 0; o < layer.Outputs; o++)
            {
                var slope = TLanes.Load(slopes[i] + (o * TLanes.Count));
                for (var k = 0; k < count; k++)
                {
                    var at = here + (o * stride) + (k * TLanes.Count);
                    TLanes.Store(slope * (i == 0 ? TLanes.Create(call.Layers[0].Weight[(o * layer.Inputs) + start + k]) : TLanes.Load(at)),
                        at);
                }
            }
        }
        for (var k = 0; k < count; k++) AddDiagonal(start + k, here + (k * TLanes.Count), stride);
    }

    private void Swap()
    {
        var other = here;
        here = next;
        next = other;
    }

    // of the last product, the element of direction d in output d
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AddDiagonal(int d, T* column, nint stride)
    {
        var last = program.Layers.Length - 1;
        var inputs = program.Layers[last].Inputs;
        var product = Dot(call.Layers[last].Weight + ((nint)d * inputs), inputs, column, stride);
        if (scales[last] != null) product *= TLanes.Load(scales[last] + (d * TLanes.Count));
        TLanes.Store(TLanes.Load(divergence) + product, divergence);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Joined()
    {
        var (rows, inputs) = (program.Layers[1].Outputs, program.Layers[0].Outputs);
        LaneProduct.Multiply<TLanes, T>(call.JoinedPanels, rows, inputs, slopes[0], Rows, next, Rows, vectors);
        // slopes of the second layer, or the scale of the outputs
        var factor = program.Layers.Length == 3 ? slopes[1] : scales[1];
        for (var p = 0; p < vectors; p++)
        {
            var at = p * TLanes.Count;
            TLanes sum = TLanes.Zero;
            for (var o = 0; o < rows; o++)
            {
                var term = TLanes.Load(next + (o * Rows) + at);
                if (factor == null) sum += term;
                else TLanes.Accumulate(ref sum, term, TLanes.Load(factor + (o * Rows) + at));
            }
            TLanes.Store(sum, divergence + at);
        }
    }

    // f of a product, and its slopes, by which the tangents beside it are multiplied
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Activate(int i, T* product, int columns)
    {
        var outputs = program.Layers[i].Outputs;
        Shifted(i, product, columns, activated);
        SmoothMath<TLanes, T>.Apply(program.Function, activated, outputs * vectors, activated, slopes[i]);
        for (var o = 0; o < outputs; o++)
        {
            for (var p = 0; p < vectors; p++)
            {
                var at = ((o * vectors) + p) * TLanes.Count;
                TLanes.Store(TLanes.Load(activated + at), product + (((o * columns) + p) * TLanes.Count));
                if (scales[i] != null) TLanes.Store(TLanes.Load(slopes[i] + at) * TLanes.Load(scales[i] + at), slopes[i] + at);
            }
            if (first == 0) continue;
            var slope = TLanes.Load(slopes[i] + (o * TLanes.Count));
            for (var k = 0; k < first; k++)
            {
                var at = product + (((o * columns) + vectors + k) * TLanes.Count);
                TLanes.Store(slope * (i == 0 ? TLanes.Create(call.Layers[0].Weight[(o * program.Features) + k]) : TLanes.Load(at)), at);
            }
        }
    }

    // (product + b)·scale + shift of the rows
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Shifted(int i, T* product, int columns, T* to)
    {
        var layer = program.Layers[i];
        ref var numbers = ref call.Layers[i];
        for (var o = 0; o < layer.Outputs; o++)
        {
            var bias = numbers.Bias == null ? TLanes.Zero : TLanes.Create(numbers.Bias[o]);
            for (var p = 0; p < vectors; p++)
            {
                var at = ((o * vectors) + p) * TLanes.Count;
                var value = TLanes.Load(product + (((o * columns) + p) * TLanes.Count)) + bias;
                var shift = shiftOffsets[i] == null ? TLanes.Zero : TLanes.Load(shiftOffsets[i] + at);
                for (var k = 0; k < layer.Times; k++)
                    TLanes.Accumulate(ref shift, TLanes.Load(seen + (((k * vectors) + p) * TLanes.Count)),
                        numbers.Shift + (o * layer.Times) + k);
                if (layer.IsGated)
                {
                    var gate = TLanes.Create(numbers.GateBias[o]);
                    if (gateOffsets[i] != null) gate += TLanes.Load(gateOffsets[i] + at);
                    TLanes.Accumulate(ref gate, TLanes.Load(seen + (p * TLanes.Count)), numbers.Gate + o);
                    var scale = SmoothMath<TLanes, T>.Sigmoid(gate);
                    TLanes.Store(scale, scales[i] + at);
                    value = TLanes.MultiplyAdd(value, scale, shift);
                }
                else value += shift;
                TLanes.Store(value, to + at);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static TLanes Dot(T* weights, int count, T* x, nint stride)
    {
        TLanes s0 = TLanes.Zero, s1 = TLanes.Zero, s2 = TLanes.Zero, s3 = TLanes.Zero;
        var i = 0;
        for (; i <= count - 4; i += 4, x += 4 * stride)
        {
            TLanes.Accumulate(ref s0, TLanes.Load(x), weights + i);
            TLanes.Accumulate(ref s1, TLanes.Load(x + stride), weights + i + 1);
            TLanes.Accumulate(ref s2, TLanes.Load(x + (2 * stride)), weights + i + 2);
            TLanes.Accumulate(ref s3, TLanes.Load(x + (3 * stride)), weights + i + 3);
        }
        for (; i < count; i++, x += stride) TLanes.Accumulate(ref s0, TLanes.Load(x), weights + i);
        return (s0 + s1) + (s2 + s3);
    }

    private void Scatter(T* from, T* to, int outputs, int slot, long row)
    {
        if (from == null) return;
        for (var o = 0; o < outputs; o++) to[(o * Rows) + slot] = from[(row * outputs) + o];
    }
}
