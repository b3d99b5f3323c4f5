using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>A velocity and its divergence at the stages of a step, for a
/// vector of rows, with all that its gradients need; and these.</summary>
/// <remarks>
/// With u the product of a tangent, D = σ f′(a) and h = f(a): a tangent becomes D u. Backwards, with gradients g of h and gᵤ of D u for
/// each tangent, gᴅ = Σ gᵤ u, that of a is f′ g + σ f″ gᴅ, and that of σ is f′ gᴅ and what comes through a = (W x + b) σ + s.
/// </remarks>
internal sealed unsafe partial class DynamicsTape<TLanes, T>
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
        (columns, last, times) = (1 + tangents, program.Layers.Length - 1, Math.Max(1, program.Times));
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

    // the first column of a stage
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private T* At(T* matrix, int feature, int k) => matrix + (feature * all) + (k * one);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private TLanes Load(T* vectors, int i, int k, int o) => TLanes.Load(vectors + (((k * program.Layers[i].Outputs) + o) * TLanes.Count));

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
