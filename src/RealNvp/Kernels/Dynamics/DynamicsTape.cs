using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>A velocity and its divergence at the stages of a step, for a
/// vector of rows, with all that its gradients need; and these.</summary>
/// <remarks>
/// With u the product of a tangent, D = σ f′(a) and h = f(a): a tangent becomes D u. Backwards, with gradients g of h and gᵤ of D u for
/// each tangent, gᴅ = Σ gᵤ u, that of a is f′ g + σ f″ gᴅ, and that of σ is f′ gᴅ and what comes through a = (W x + b) σ + s.
/// </remarks>
internal sealed unsafe class DynamicsTape<TLanes, T>
    where TLanes : struct, ILanes<TLanes, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly DynamicsCall<T> call;
    private readonly DynamicsProgram program;
    private readonly int stages, tangents, columns, last, times;
    // from a feature to the next one: of all stages, and of a product of one stage
    private readonly nint all, one;
    private readonly T* seen, bend, start, sums;
    private readonly T*[] inputs, products, shifted, values, derivatives, scales, gradients, gateOffsets, shiftOffsets;
    private readonly T*[] ofBias, ofGate, ofGateBias, ofShifted, ofShift;
    private readonly T* diagonal, ofDiagonal;
    private readonly long size;
    private T* here, next;

    /// <param name="call">The velocity.</param>
    /// <param name="stages">The stages of a step.</param>
    /// <param name="memory">As many elements as <see cref="Size"/>.</param>
    /// <param name="sums">Gets the gradients of the weights.</param>
    public DynamicsTape(DynamicsCall<T> call, int stages, T* memory, T* sums)
    {
        (this.call, program, this.stages, tangents) = (call, call.Program, stages, call.Tangents);
        start = memory;
        this.sums = sums;
        (columns, last, times) = (1 + tangents, program.Layers.Length - 1, Math.Max(1, program.Layers.Max(l => l.Times)));
        (all, one) = (stages * columns * TLanes.Count, columns * TLanes.Count);
        T* Take(long vectors)
        {
            var at = memory;
            memory += (nint)vectors * TLanes.Count;
            return at;
        }
        T*[] None() => new T*[program.Layers.Length];
        (inputs, products, shifted, values, derivatives, scales) = (None(), None(), None(), None(), None(), None());
        (gradients, gateOffsets, shiftOffsets) = (None(), None(), None());
        (ofBias, ofGate, ofGateBias, ofShifted, ofShift) = (None(), None(), None(), None(), None());
        seen = Take(stages * times);
        bend = Take(program.Widest);
        here = Take((long)LaneProduct.Padded(program.Widest) * columns);
        next = Take((long)LaneProduct.Padded(program.Widest) * columns);
        diagonal = Take((long)stages * program.Features);
        ofDiagonal = Take((long)stages * program.Features);
        for (var i = 0; i <= last; i++)
        {
            var layer = program.Layers[i];
            var outputs = LaneProduct.Padded(layer.Outputs);
            inputs[i] = Take((long)LaneProduct.Padded(layer.Inputs) * stages * columns);
            products[i] = Take((long)outputs * stages * columns);
            gradients[i] = Take((long)outputs * stages * columns);
            shifted[i] = Take((long)layer.Outputs * stages);
            if (i < last)
            {
                values[i] = Take((long)layer.Outputs * stages);
                derivatives[i] = Take((long)layer.Outputs * stages);
            }
            ofBias[i] = Take(layer.Outputs);
            ofShifted[i] = Take(layer.Outputs);
            ofShift[i] = Take((long)layer.Outputs * layer.Times);
            shiftOffsets[i] = call.Layers[i].ShiftOffset == null ? null : Take(layer.Outputs);
            if (!layer.IsGated) continue;
            scales[i] = Take((long)layer.Outputs * stages);
            ofGate[i] = Take(layer.Outputs);
            ofGateBias[i] = Take(layer.Outputs);
            gateOffsets[i] = call.Layers[i].GateOffset == null ? null : Take(layer.Outputs);
        }
        size = memory - start;
    }

    /// <summary>The elements of memory that a tape needs.</summary>
    public static long Size(DynamicsCall<T> call, int stages) => new DynamicsTape<TLanes, T>(call, stages, null, null).size;

    /// <summary>Begins with rows first ... first + count - 1.</summary>
    public void Begin(int first, int count)
    {
        for (var i = 0; i <= last; i++)
        {
            var layer = program.Layers[i];
            var vectors = layer.Outputs * TLanes.Count;
            new Span<T>(ofBias[i], vectors).Clear();
            new Span<T>(ofShifted[i], vectors).Clear();
            new Span<T>(ofShift[i], vectors * layer.Times).Clear();
            Scatter(call.Layers[i].ShiftOffset, shiftOffsets[i], layer.Outputs, first, count);
            if (!layer.IsGated) continue;
            new Span<T>(ofGate[i], vectors).Clear();
            new Span<T>(ofGateBias[i], vectors).Clear();
            Scatter(call.Layers[i].GateOffset, gateOffsets[i], layer.Outputs, first, count);
        }
    }

    /// <summary>The velocity (D) of stage k at times and points.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Forward(int k, T* t, T* x, T* velocity)
    {
        DynamicsTimes.Write(t, TLanes.Count, times, seen + (k * times * TLanes.Count));
        for (var d = 0; d < program.Features; d++)
            TLanes.Store(TLanes.Load(x + (d * TLanes.Count)), At(inputs[0], d, k));
        for (var i = 0; i < last; i++)
        {
            var layer = program.Layers[i];
            LaneProduct.Multiply<TLanes, T>(call.Layers[i].Panels, layer.Outputs, layer.Inputs, At(inputs[i], 0, k), all,
                At(products[i], 0, k), all, i == 0 ? 1 : columns);
            Shift(i, k);
            var at = (nint)k * layer.Outputs * TLanes.Count;
            SmoothMath<TLanes, T>.Apply(program.Function, shifted[i] + at, layer.Outputs, values[i] + at, derivatives[i] + at);
            for (var o = 0; o < layer.Outputs; o++)
            {
                var to = At(inputs[i + 1], o, k);
                TLanes.Store(Load(values[i], i, k, o), to);
                if (tangents == 0) continue;
                var slope = Load(derivatives[i], i, k, o);
                if (scales[i] != null) slope *= Load(scales[i], i, k, o);
                for (var j = 1; j <= tangents; j++) TLanes.Store(slope * Tangent(i, k, o, j), to + (j * TLanes.Count));
            }
        }
        var end = program.Layers[last];
        LaneProduct.Multiply<TLanes, T>(call.Layers[last].Panels, end.Outputs, end.Inputs, At(inputs[last], 0, k), all,
            At(products[last], 0, k), all, 1);
        Shift(last, k);
        for (var d = 0; d < end.Outputs; d++)
        {
            TLanes.Store(Load(shifted[last], last, k, d), velocity + (d * TLanes.Count));
            if (tangents == 0 || !end.IsGated) continue;
            var sum = TLanes.Zero;
            for (var h = 0; h < end.Inputs; h++)
                TLanes.Accumulate(ref sum, TLanes.Load(At(inputs[last], h, k) + ((d + 1) * TLanes.Count)),
                    call.Layers[last].Weight + ((nint)d * end.Inputs) + h);
            TLanes.Store(sum, diagonal + (((k * end.Outputs) + d) * TLanes.Count));
        }
    }

    /// <summary>The gradient of the points of stage k (D), from those of its velocity (D) and its divergence.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Backward(int k, T* t, T* ofVelocity, T* ofDivergence, T* ofX)
    {
        Last(k, t, ofVelocity, ofDivergence);
        for (var i = last - 1; i >= 0; i--)
        {
            var layer = program.Layers[i];
            Hidden(i, k, t);
            LaneProduct.Multiply<TLanes, T>(call.Layers[i].Transposed, layer.Inputs, layer.Outputs, At(gradients[i], 0, k), all, next, one,
                i == 0 ? 1 : columns);
            var other = here;
            here = next;
            next = other;
        }
        for (var d = 0; d < program.Features; d++) TLanes.Store(TLanes.Load(here + (d * one)), ofX + (d * TLanes.Count));
    }

    /// <summary>Adds the gradients of the weights of all stages.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Sum()
    {
        var to = sums;
        for (var i = 0; i <= last; i++)
        {
            var layer = program.Layers[i];
            if (i > 0 && i < last)
                LaneSums.Add<TLanes, T>(gradients[i], all, layer.Outputs, inputs[i], all, layer.Inputs, stages * columns, to);
            else
                for (var o = 0; o < layer.Outputs; o++)
                    for (var input = 0; input < layer.Inputs; input++)
                        to[(o * layer.Inputs) + input] += i == 0 ? First(o, input) : Last(o, input);
            to += layer.Weights + ((3 + layer.Times) * layer.Outputs);
        }
    }

    /// <summary>Adds the gradients of all other weights, and writes those of what contexts add.</summary>
    public void End(DynamicsWalk<T> walk, int first, int count)
    {
        var to = sums;
        for (var i = 0; i <= last; i++)
        {
            var layer = program.Layers[i];
            to += layer.Weights;
            LaneSums.AddEach<TLanes, T>(ofBias[i], layer.Outputs, to);
            to += layer.Outputs;
            if (layer.IsGated)
            {
                LaneSums.AddEach<TLanes, T>(ofGate[i], layer.Outputs, to);
                LaneSums.AddEach<TLanes, T>(ofGateBias[i], layer.Outputs, to + layer.Outputs);
                Gather(ofGateBias[i], walk.Slopes[i].GateOffset, layer.Outputs, first, count);
            }
            to += 2 * layer.Outputs;
            LaneSums.AddEach<TLanes, T>(ofShift[i], layer.Outputs * layer.Times, to);
            to += layer.Outputs * layer.Times;
            Gather(ofShifted[i], walk.Slopes[i].ShiftOffset, layer.Outputs, first, count);
        }
    }

    // of the first weight: through the values, and through tangent j, whose product is column j of it
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private T First(int o, int input)
    {
        var sum = LaneSums.Dot<TLanes, T>(At(gradients[0], o, 0), one, At(inputs[0], input, 0), one, stages);
        return tangents == 0 ? sum
            : sum + LaneSums.Total<TLanes, T>(At(gradients[0], o, 0) + ((input + 1) * TLanes.Count), one, stages);
    }

    // of the last weight: through the values, and through the diagonal of the derivatives
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private T Last(int o, int input)
    {
        var sum = LaneSums.Dot<TLanes, T>(At(gradients[last], o, 0), one, At(inputs[last], input, 0), one, stages);
        return tangents == 0 ? sum : sum + LaneSums.Dot<TLanes, T>(ofDiagonal + (o * TLanes.Count), program.Features * TLanes.Count,
            At(inputs[last], input, 0) + ((o + 1) * TLanes.Count), one, stages);
    }

    // the last layer: gradients of its products, and of what comes into it, in `here`
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Last(int k, T* t, T* ofVelocity, T* ofDivergence)
    {
        var layer = program.Layers[last];
        for (var d = 0; d < layer.Outputs; d++)
        {
            var (g, divergence) = (TLanes.Load(ofVelocity + (d * TLanes.Count)), TLanes.Load(ofDivergence));
            var ofProduct = g;
            if (layer.IsGated)
            {
                var scale = Load(scales[last], last, k, d);
                var ofScale = g * Biased(last, k, d);
                if (tangents > 0)
                    TLanes.Accumulate(ref ofScale, divergence, TLanes.Load(diagonal + (((k * layer.Outputs) + d) * TLanes.Count)));
                Gate(last, d, ofScale, scale, t);
                ofProduct = g * scale;
                divergence *= scale;
            }
            Others(last, k, d, g, ofProduct);
            if (tangents > 0) TLanes.Store(divergence, ofDiagonal + (((k * layer.Outputs) + d) * TLanes.Count));
        }
        LaneProduct.Multiply<TLanes, T>(call.Layers[last].Transposed, layer.Inputs, layer.Outputs, At(gradients[last], 0, k), all, here,
            one,
            1);
        for (var j = 0; j < tangents; j++)
        {
            var divergence = TLanes.Load(ofDiagonal + (((k * layer.Outputs) + j) * TLanes.Count));
            for (var h = 0; h < layer.Inputs; h++)
                TLanes.Store(divergence * TLanes.Create(call.Layers[last].Weight[((nint)j * layer.Inputs) + h]),
                    here + (h * one) + ((j + 1) * TLanes.Count));
        }
    }

    // a hidden layer: gradients of its products from those of its results, which are in `here`
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Hidden(int i, int k, T* t)
    {
        var layer = program.Layers[i];
        var part = (nint)k * layer.Outputs * TLanes.Count;
        if (tangents > 0)
            SmoothMath<TLanes, T>.Bend(program.Function, shifted[i] + part, values[i] + part, derivatives[i] + part, layer.Outputs, bend);
        for (var o = 0; o < layer.Outputs; o++)
        {
            var from = here + (o * one);
            var to = At(gradients[i], o, k);
            var derivative = Load(derivatives[i], i, k, o);
            var scale = layer.IsGated ? Load(scales[i], i, k, o) : TLanes.Number(1);
            var g = TLanes.Load(from) * derivative;
            var ofScale = TLanes.Zero;
            if (tangents > 0)
            {
                var (slope, ofSlope) = (derivative * scale, TLanes.Zero);
                for (var j = 1; j <= tangents; j++)
                {
                    var tangent = TLanes.Load(from + (j * TLanes.Count));
                    TLanes.Accumulate(ref ofSlope, tangent, Tangent(i, k, o, j));
                    TLanes.Store(tangent * slope, to + (j * TLanes.Count));
                }
                TLanes.Accumulate(ref g, ofSlope * scale, TLanes.Load(bend + (o * TLanes.Count)));
                ofScale = ofSlope * derivative;
            }
            var ofProduct = g;
            if (layer.IsGated)
            {
                TLanes.Accumulate(ref ofScale, g, Biased(i, k, o));
                Gate(i, o, ofScale, scale, t);
                ofProduct = g * scale;
            }
            Others(i, k, o, g, ofProduct);
        }
    }

    // σ′ = σ (1 − σ)
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Gate(int i, int o, TLanes ofScale, TLanes scale, T* t)
    {
        var g = ofScale * scale * (TLanes.Number(1) - scale);
        var at = o * TLanes.Count;
        TLanes.Store(TLanes.Load(ofGateBias[i] + at) + g, ofGateBias[i] + at);
        TLanes.Store(TLanes.MultiplyAdd(g, TLanes.Load(t), TLanes.Load(ofGate[i] + at)), ofGate[i] + at);
    }

    // what a shifted product with this gradient gives to shifts, bias and product
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Others(int i, int k, int o, TLanes g, TLanes ofProduct)
    {
        var at = o * TLanes.Count;
        TLanes.Store(ofProduct, At(gradients[i], o, k));
        TLanes.Store(TLanes.Load(ofBias[i] + at) + ofProduct, ofBias[i] + at);
        TLanes.Store(TLanes.Load(ofShifted[i] + at) + g, ofShifted[i] + at);
        var count = program.Layers[i].Times;
        for (var j = 0; j < count; j++)
        {
            var to = ofShift[i] + (((o * count) + j) * TLanes.Count);
            TLanes.Store(TLanes.MultiplyAdd(g, TLanes.Load(seen + (((k * times) + j) * TLanes.Count)), TLanes.Load(to)), to);
        }
    }

    // (product + b)·scale + shift of the rows
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Shift(int i, int k)
    {
        var layer = program.Layers[i];
        ref var numbers = ref call.Layers[i];
        for (var o = 0; o < layer.Outputs; o++)
        {
            var at = ((k * layer.Outputs) + o) * TLanes.Count;
            var value = Biased(i, k, o);
            var shift = shiftOffsets[i] == null ? TLanes.Zero : TLanes.Load(shiftOffsets[i] + (o * TLanes.Count));
            for (var j = 0; j < layer.Times; j++)
                TLanes.Accumulate(ref shift, TLanes.Load(seen + (((k * times) + j) * TLanes.Count)), numbers.Shift + (o * layer.Times) + j);
            if (layer.IsGated)
            {
                var gate = TLanes.Create(numbers.GateBias[o]);
                if (gateOffsets[i] != null) gate += TLanes.Load(gateOffsets[i] + (o * TLanes.Count));
                TLanes.Accumulate(ref gate, TLanes.Load(seen + (k * times * TLanes.Count)), numbers.Gate + o);
                var scale = SmoothMath<TLanes, T>.Sigmoid(gate);
                TLanes.Store(scale, scales[i] + at);
                value = TLanes.MultiplyAdd(value, scale, shift);
            }
            else value += shift;
            TLanes.Store(value, shifted[i] + at);
        }
    }

    // the first column of a stage
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private T* At(T* matrix, int feature, int k) => matrix + (feature * all) + (k * one);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private TLanes Load(T* vectors, int i, int k, int o) => TLanes.Load(vectors + (((k * program.Layers[i].Outputs) + o) * TLanes.Count));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private TLanes Tangent(int i, int k, int o, int j) => i == 0
        ? TLanes.Create(call.Layers[0].Weight[(o * program.Features) + j - 1])
        : TLanes.Load(At(products[i], o, k) + (j * TLanes.Count));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private TLanes Biased(int i, int k, int o)
    {
        var product = TLanes.Load(At(products[i], o, k));
        return call.Layers[i].Bias == null ? product : product + TLanes.Create(call.Layers[i].Bias[o]);
    }

    private static void Scatter(T* from, T* to, int outputs, int first, int count)
    {
        if (from == null) return;
        for (var lane = 0; lane < TLanes.Count; lane++)
            for (var o = 0; o < outputs; o++)
                to[(o * TLanes.Count) + lane] = lane < count ? from[((nint)(first + lane) * outputs) + o] : T.Zero;
    }

    private static void Gather(T* from, T* to, int outputs, int first, int count)
    {
        if (to == null) return;
        for (var lane = 0; lane < count; lane++)
            for (var o = 0; o < outputs; o++) to[((nint)(first + lane) * outputs) + o] = from[(o * TLanes.Count) + lane];
    }
}
