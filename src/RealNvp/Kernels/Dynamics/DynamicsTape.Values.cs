using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>The values: a velocity at a stage, with all that its gradients need.</summary>
internal sealed unsafe partial class DynamicsTape<TLanes, T>
{
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
}
