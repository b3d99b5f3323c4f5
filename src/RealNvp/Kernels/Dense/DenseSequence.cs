using System.Runtime.Intrinsics;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Kernels;

/// <summary>
/// The features of a masked network one after the other: in each step the hidden units that see one feature more, from the units that are known, and
/// then the parameters of the next feature. Without gradients.
/// </summary>
/// <remarks>Its memory is that of tensors in the caller's scope. A step is too narrow for the widest vectors, so it takes those of 8 everywhere.</remarks>
internal sealed unsafe class DenseSequence
{
    private const int Lanes = 8, Spare = 16;
    private readonly DenseProgram program;
    private readonly long[] order, ends;
    private readonly int rows, features, perFeature, stride, knownStride;
    private readonly long step_size, biases, known, sums, added, entering;
    private readonly float* memory;
    private readonly double limit;
    private readonly bool has_context;

    /// <summary>Packs the weights for all steps.</summary>
    /// <param name="program">The network.</param>
    /// <param name="tensors">Any input of as many rows as are wanted, and the weights.</param>
    /// <param name="given">What the context adds to the first result, (N, hidden), or null.</param>
    /// <param name="order">The feature of each step.</param>
    /// <param name="ends">For each step how many hidden units are known after it.</param>
    /// <param name="perFeature">The number of parameters of a feature.</param>
    /// <param name="limit">What the network sees of the features: see <see cref="InputLimit"/>; null for all of them.</param>
    public DenseSequence(DenseProgram program, DenseTensors tensors, Tensor? given, long[] order, long[] ends, long perFeature, double? limit)
    {
        this.limit = limit ?? 0;
        (this.program, this.order, this.ends) = (program, order, ends);
        (rows, features, this.perFeature) = ((int)tensors.X.shape[0], order.Length, (int)perFeature);
        var hidden = program.Layers[0].Outputs;
        // what a tile writes beyond its columns must stay in the row
        (stride, knownStride) = (DenseProduct.Stride(hidden + Spare), DenseProduct.Stride(features));
        step_size = StepSize(hidden);
        biases = features * step_size;
        known = biases + (program.Layers.Count * DenseProduct.Stride(Math.Max(hidden, program.Outputs) + Spare)) + (features * DenseProduct.Stride((int)perFeature));
        sums = known + ((long)rows * knownStride);
        // apart from the sums: a tile of those writes over the columns of later steps
        added = sums + ((long)rows * stride);
        entering = added + (given is null ? 0 : (long)rows * stride);
        memory = KernelMemory.Pointer<float>(empty([entering + ((long)(program.Layers.Count - 1) * rows * stride)], ScalarType.Float32, tensors.X.device));
        var weights = new nint[program.Layers.Count];
        for (var i = 0; i < weights.Length; i++)
        {
            weights[i] = (nint)KernelMemory.Pointer<float>(tensors.Weight(i));
            var outputs = program.Layers[i].Outputs;
            if (i < weights.Length - 1) new ReadOnlySpan<float>(KernelMemory.Pointer<float>(tensors.Bias(i)), outputs).CopyTo(new Span<float>(Bias(i), outputs));
        }
        var last = KernelMemory.Pointer<float>(tensors.Bias(weights.Length - 1));
        for (var step = 0; step < features; step++)
            for (var p = 0; p < perFeature; p++) LastBias(step)[p] = last[(p * features) + order[step]];
        if (given is not null) DenseForward.Copy(KernelMemory.Pointer<float>(given.contiguous()), hidden, memory + added, stride, rows, hidden);
        has_context = given is not null;
        KernelThreads.For(features, 8.0 * features * step_size, DenseCall.Grain, (first, end) =>
        {
            for (var step = (int)first; step < end; step++) Pack(weights, step);
        });
    }

    /// <summary>Runs all steps; <paramref name="next"/> maps a feature's index and its parameters (N, P) to the feature (N, 1) and its log-derivative or null.</summary>
    public (Tensor Value, Tensor? LogDet) Run(Func<long, Tensor, (Tensor Value, Tensor? LogDerivative)> next)
    {
        var all = empty([rows, features], ScalarType.Float32, CPU);
        Tensor? total = null;
        for (var step = 0; step < features; step++)
        {
            using var inside = NewDisposeScope();
            var parameters = empty([rows, perFeature], ScalarType.Float32, CPU);
            var to = KernelMemory.Pointer<float>(parameters);
            var now = step;
            KernelThreads.For(rows, (double)rows * program.Weights / features, DenseCall.Grain, (start, end) =>
            {
                var width = DenseProduct.Stride(perFeature);
                var scratch = DenseScratch.Own((long)DenseCall.Block * width);
                for (var row = (int)start; row < end; row += DenseCall.Block)
                {
                    var count = Math.Min(DenseCall.Block, (int)end - row);
                    Step(now, row, count, scratch);
                    DenseForward.Copy(scratch, width, to + ((nint)row * perFeature), perFeature, count, perFeature);
                }
            });
            var feature = order[step];
            var (value, logDerivative) = next(feature, parameters);
            all.narrow(1, feature, 1).copy_(value);
            Copy(all, feature, step);
            if (logDerivative is null) continue;
            var term = logDerivative.squeeze(1);
            total = inside.MoveToOuter(total is null ? term : total.add(term, Scalars.One));
        }
        return (all, total);
    }

    /// <summary>The inverse of the affine map with these parameters, and its log-determinant.</summary>
    public (Tensor Value, Tensor LogDet) InverseAffine(Tensor z, AffineTransformer affine)
    {
        var (value, logDet) = (empty_like(z), empty([rows], ScalarType.Float32, CPU));
        var scale = affine.Scale.item<float>();
        // NaN stays NaN, as in torch
        scale = Math.Clamp(scale, (float)-AffineTransformer.MaxLogScale, (float)AffineTransformer.MaxLogScale);
        var shiftFirst = affine.Order == AffineOrder.ShiftThenScale;
        float* from = KernelMemory.Pointer<float>(z), to = KernelMemory.Pointer<float>(value), sum = KernelMemory.Pointer<float>(logDet);
        KernelThreads.For(rows, (double)rows * program.Weights, DenseCall.Grain, (start, end) =>
        {
            var scratch = DenseScratch.Own((long)DenseCall.Block * Spare);
            for (var row = (int)start; row < end; row += DenseCall.Block)
            {
                var count = Math.Min(DenseCall.Block, (int)end - row);
                new Span<float>(sum + row, count).Clear();
                for (var step = 0; step < features; step++)
                {
                    Step(step, row, count, scratch);
                    for (var r = 0; r < count; r++)
                    {
                        var at = ((long)(row + r) * features) + order[step];
                        var minus = -(scale * MathF.Tanh(scratch[r * Spare]));
                        var shift = scratch[(r * Spare) + 1];
                        var x = shiftFirst ? (from[at] * MathF.Exp(minus)) - shift : (from[at] - shift) * MathF.Exp(minus);
                        (to[at], sum[row + r]) = (x, sum[row + r] + minus);
                        memory[known + ((long)(row + r) * knownStride) + step] = Seen(x);
                    }
                }
            }
        });
        return (value, logDet);
    }

    // the parameters of a step's feature for some rows, in rows of our own stride
    private void Step(int step, int row, int count, float* parameters)
    {
        var (start, end) = (step == 0 ? 0 : (int)ends[step - 1], (int)ends[step]);
        var panel = memory + (step * step_size);
        var at = ((long)row * stride) + start;
        for (var i = 0; i < program.Layers.Count - 1 && end > start; i++)
        {
            var finish = new DenseFinish { Bias = Bias(i) + start, Relu = Entering(i) + at, Stride = stride };
            if (program.IsAddedLater(i)) finish.Result = memory + sums + at;
            if (program.Layers[i].AddsSkip) finish.Addend = memory + sums + at;
            if (i == 0 && has_context) finish.Addend = memory + added + at;
            var from = i == 0 ? memory + known + ((long)row * knownStride) : Entering(i - 1) + ((long)row * stride);
            var steps = i == 0 ? step : end;
            DenseProduct.Multiply<DenseLanes256, Vector256<float>>(from, i == 0 ? knownStride : stride, 1, panel, 0, count, end - start, steps, finish);
            panel += DensePacking.Size(end - start, steps, Lanes);
        }
        var last = new DenseFinish { Bias = LastBias(step), Result = parameters, Stride = DenseProduct.Stride(perFeature) };
        DenseProduct.Multiply<DenseLanes256, Vector256<float>>(Entering(program.Layers.Count - 2) + ((long)row * stride), stride, 1, panel, 0, count, perFeature, end, last);
    }

    private void Pack(nint[] weights, int step)
    {
        var (start, end) = (step == 0 ? 0 : (int)ends[step - 1], (int)ends[step]);
        var to = memory + (step * step_size);
        for (var i = 0; i < weights.Length - 1 && end > start; i++)
        {
            var steps = i == 0 ? step : end;
            var inputs = program.Layers[i].Inputs;
            if (i > 0) Pack((float*)weights[i] + ((nint)start * inputs), inputs, end - start, steps, to);
            else
                // the columns of the first weight in the order of the features
                for (var k = 0; k < steps; k++)
                    for (var column = 0; column < end - start; column++) to[At(column, k, end - start, steps)] = ((float*)weights[0])[((start + column) * inputs) + order[k]];
            if (i == 0) ClearEdge(end - start, steps, to);
            to += DensePacking.Size(end - start, steps, Lanes);
        }
        var width = program.Layers[^1].Inputs;
        Pack((float*)weights[^1] + ((nint)order[step] * width), (nint)features * width, perFeature, end, to);
    }

    private static void Pack(float* weight, nint rowStride, int outputs, int inputs, float* to)
    {
        for (var column = 0; column < outputs; column += DenseTile.Vectors * Lanes) DensePacking.Forward(weight, null, rowStride, outputs, inputs, column, Lanes, to);
    }

    private static long At(int column, int step, int columns, int steps)
    {
        var panel = column / (2 * Lanes) * (2 * Lanes);
        return ((long)panel * steps) + (step * (columns - panel > Lanes ? 2 * Lanes : Lanes)) + (column - panel);
    }

    private static void ClearEdge(int columns, int steps, float* to)
    {
        for (var column = columns; column % Lanes != 0; column++)
            for (var step = 0; step < steps; step++) to[At(column, step, columns, steps)] = 0;
    }

    private void Copy(Tensor all, long feature, int step)
    {
        var from = KernelMemory.Pointer<float>(all);
        for (long row = 0; row < rows; row++) memory[known + (row * knownStride) + step] = Seen(from[(row * features) + feature]);
    }

    private float Seen(float x) => limit > 0 ? InputLimit.Of(x, limit) : x;

    // room for the panels of any step
    private long StepSize(int hidden)
    {
        var most = 0L;
        for (var step = 0; step < features; step++) most = Math.Max(most, ends[step] - (step == 0 ? 0 : ends[step - 1]));
        var units = (most + Spare) / Lanes * Lanes;
        var parameters = (perFeature + Spare) / Lanes * Lanes;
        return (units * (features + ((long)(program.Layers.Count - 2) * hidden))) + ((long)parameters * hidden);
    }

    private float* Bias(int layer) => memory + biases + (layer * DenseProduct.Stride(Math.Max(program.Layers[0].Outputs, program.Outputs) + Spare));

    private float* LastBias(int step) => memory + known - (features * DenseProduct.Stride(perFeature)) + (step * DenseProduct.Stride(perFeature));

    private float* Entering(int layer) => memory + entering + ((long)layer * rows * stride);
}
