using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>The gradients, from what the values left.</summary>
internal sealed unsafe partial class DynamicsTape<TLanes, T>
{
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
}
