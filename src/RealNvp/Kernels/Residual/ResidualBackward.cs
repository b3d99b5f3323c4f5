using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>The gradients of x + g(x) and of its log-determinant, a block of rows after the other, from what
/// <see cref="ResidualForward"/> wrote down.</summary>
/// <remarks>
/// <para>With G = ∂L/∂ log det the tangents have the gradient G·(I + J)⁻ᵀ. It goes back through the same products as that of the value, and
/// the second derivative of each activation carries it over to the value: no second pass of autograd.</para>
/// <para>Rows are parted in shares by their number alone, and shares are added in their order: as in <see cref="DenseBackward"/>.</para>
/// </remarks>
internal static unsafe class ResidualBackward
{
    private const int ShareRows = 192, MostShares = 16;

    /// <summary>Computes all gradients that are wanted.</summary>
    /// <param name="call">The network.</param>
    /// <param name="tape">What the forward pass wrote down.</param>
    /// <param name="ofZ">The gradient of z, (rows, D).</param>
    /// <param name="ofLogDet">That of the log-determinant; null without tangents.</param>
    /// <param name="logDetStride">From one of its rows to the next.</param>
    /// <param name="to">Gets the gradients.</param>
    public static void Run<T>(ResidualCall<T> call, T* tape, T* ofZ, T* ofLogDet, nint logDetStride, ResidualGradients<T> to)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var products = (uint)Math.Min((call.Rows * (1L + call.Tangents) + ShareRows) / ShareRows, 2 * MostShares);
        var shares = Math.Clamp((int)(BitOperations.RoundUpToPowerOf2(products) / 2), 1, Math.Min(MostShares, call.Blocks));
        var sums = new ResidualSums<T>(call.Program, to, shares);
        var packed = call.PackedSize;
        var memory = (T*)KernelScratch.Shared((packed + (shares * sums.Size)) * sizeof(T) / sizeof(float));
        call.Pack(memory, backward: true);
        KernelThreads.For(shares, 2 * call.Work, ResidualCall<T>.Grain, (start, end) =>
            LaneWidth.Run<Code<T>, T>(new(call, tape, ofZ, ofLogDet, logDetStride, to, sums, memory + packed, (int)start, (int)end)));
        sums.Add(call, memory + packed);
    }

    private readonly struct Code<T>(ResidualCall<T> call, T* tape, T* ofZ, T* ofLogDet, nint logDetStride, ResidualGradients<T> to,
        ResidualSums<T> sums, T* memory, int start, int end) : ILaneCode<T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, T>
        {
            var size = call.BufferSize;
            var scratch = (T*)KernelScratch.Own(4 * size * sizeof(T) / sizeof(float));
            for (var share = start; share < end; share++)
            {
                int first = (int)((long)call.Blocks * share / sums.Shares), last = (int)((long)call.Blocks * (share + 1) / sums.Shares);
                for (var block = first; block < last; block++) Block<TLanes>(share, block, block > first, scratch, size);
            }
        }

        private void Block<TLanes>(int share, int block, bool add, T* scratch, long size) where TLanes : struct, ILanes<TLanes, T>
        {
            var (program, tangents, d) = (call.Program, call.Tangents, call.Program.Features);
            var steps = program.Steps;
            var first = block * call.BlockRows;
            var rows = Math.Min(call.BlockRows, call.Rows - first);
            var all = rows * (1 + tangents);
            T* here = scratch, next = scratch + size, activated = scratch + (2 * size), input = scratch + (3 * size);
            var own = memory + (share * sums.Size);
            // the results of the layers, from the last one on
            var results = tape + ((nint)first * (1 + tangents) * (nint)program.TapeWidth) + (all * (nint)program.TapeWidth);
            results -= all * (nint)DenseProduct.Stride(d);
            ResidualForward.Begin(call, call.X + ((nint)first * d), rows, input);
            Begin(first, rows, results, here);
            for (var i = steps.Length - 1; i >= 0; i--)
            {
                var step = steps[i];
                nint stride = DenseProduct.Stride(step.Outputs), width = DenseProduct.Stride(step.Inputs);
                if (i == 0 && to.Shift != null)
                    for (var row = 0; row < rows; row++)
                        new ReadOnlySpan<T>(here + (row * stride), step.Outputs)
                            .CopyTo(new Span<T>(to.Shift + ((nint)(first + row) * step.Outputs), step.Outputs));
                DenseProduct.Multiply<TLanes, T>(here, stride, 1, call.Panels(i), 0, all, step.Inputs, step.Outputs,
                    new DenseFinish<T> { Result = next, Stride = width });
                if (i > 0) results -= all * (nint)DenseProduct.Stride(step.Before);
                var pass = ResidualForward.Pass(call, i, i == 0 ? input : results, first, null, rows);
                pass.To = activated;
                pass.Gradient = next;
                pass.GradientStride = width;
                sums.Beta(share, i) += pass.Run<TLanes>(step.Activation);
                if (to.Weights[i] != null)
                {
                    DenseBlock.ClearRest(activated, width, all, step.Inputs);
                    DenseProduct.Multiply<TLanes, T>(here, 1, stride, activated, width, step.Outputs, step.Inputs, all, new DenseFinish<T>
                    {
                        Addend = add ? own + sums.Weight(i) : null,
                        Result = own + sums.Weight(i),
                        Stride = width,
                    });
                }
                if (to.Biases[i] != null) Columns(here, stride, own + sums.Bias(i), rows, step.Outputs, add);
                // the activation takes fewer numbers than it gives, if it is a pair
                if (width != DenseProduct.Stride(step.Before)) Narrow(next, width, DenseProduct.Stride(step.Before), step.Before, all);
                var swap = here;
                here = next;
                next = swap;
            }
            if (to.X != null) End(first, rows, here);
        }

        // the gradients of the results of the last layer
        private void Begin(int first, int rows, T* results, T* gradients)
        {
            var (d, tangents) = (call.Program.Features, call.Tangents);
            nint stride = DenseProduct.Stride(d);
            for (var row = 0; row < rows; row++)
                new ReadOnlySpan<T>(ofZ + ((nint)(first + row) * d), d).CopyTo(new Span<T>(gradients + (row * stride), d));
            if (tangents == 0) return;
            var matrix = stackalloc double[2 * ResidualDeterminant.Most * ResidualDeterminant.Most];
            var inverse = matrix + (d * d);
            for (var row = 0; row < rows; row++)
            {
                ResidualDeterminant.Load(results, stride, rows, row, d, matrix);
                ResidualDeterminant.Inverse(matrix, d, inverse);
                var by = double.CreateTruncating(ofLogDet[(first + row) * logDetStride]);
                for (var i = 0; i < d; i++)
                    for (var o = 0; o < d; o++)
                        gradients[(((1 + i) * rows) + row) * stride + o] = T.CreateTruncating(by * inverse[(i * d) + o]);
            }
        }

        // to x, through its limit, and past g
        private void End(int first, int rows, T* gradients)
        {
            var d = call.Program.Features;
            nint stride = DenseProduct.Stride(d);
            for (var row = 0; row < rows; row++)
                for (var i = 0; i < d; i++)
                {
                    var at = ((nint)(first + row) * d) + i;
                    var gradient = gradients[(row * stride) + i];
                    if (call.Program.Limit is { } c)
                    {
                        var x = call.X[at];
                        ResidualForward.Limit(ref x, c, out var slope, out var bend);
                        gradient *= slope;
                        if (call.Tangents > 0) gradient += bend * gradients[(((1 + i) * rows) + row) * stride + i];
                    }
                    to.X[at] = ofZ[at] + gradient;
                }
        }

        private static void Narrow(T* matrix, nint from, nint to, int columns, int rows)
        {
            for (var row = 1; row < rows; row++)
                new ReadOnlySpan<T>(matrix + (row * from), columns).CopyTo(new Span<T>(matrix + (row * to), columns));
        }

        private static void Columns(T* matrix, nint stride, T* sum, int rows, int columns, bool add)
        {
            if (!add) new Span<T>(sum, columns).Clear();
            for (var row = 0; row < rows; row++) ResidualVectors.Add(matrix + (row * stride), 1, sum, columns);
        }
    }
}
