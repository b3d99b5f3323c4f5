using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>x + g(x) of a residual block, and log det(I + ∂g/∂x) by tangents that go through the same products.</summary>
internal static unsafe class ResidualForward
{
    /// <summary>Runs all rows; the weights are packed.</summary>
    /// <param name="call">The network.</param>
    /// <param name="tape">Gets the results of all products; null if no gradients are wanted.</param>
    /// <param name="z">Gets x + g(x), (rows, D).</param>
    /// <param name="logDet">Gets the log-determinants, (rows); null without tangents.</param>
    public static void Run<T>(ResidualCall<T> call, T* tape, T* z, T* logDet) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        KernelThreads.For(call.Blocks, call.Work, ResidualCall<T>.Grain, (start, end) =>
            LaneWidth.Run<Code<T>, T>(new(call, tape, z, logDet, (int)start, (int)end)));

    /// <summary>x as g sees it, and the unit tangents: the first matrix of a block.</summary>
    public static void Begin<T>(ResidualCall<T> call, T* x, int rows, T* to) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var d = call.Program.Features;
        nint stride = DenseProduct.Stride(d);
        var most = call.Program.Limit;
        if (call.Tangents > 0) new Span<T>(to + (rows * stride), checked((int)(rows * call.Tangents * stride))).Clear();
        for (var row = 0; row < rows; row++)
            for (var i = 0; i < d; i++)
            {
                var (value, slope) = (x[(row * d) + i], T.One);
                if (most is { } c) Limit(ref value, c, out slope, out _);
                to[(row * stride) + i] = value;
                if (call.Tangents > 0) to[(((1 + i) * rows) + row) * stride + i] = slope;
            }
    }

    /// <summary>x / √(1 + (x/c)²) of one number, as <see cref="InputLimit"/> has it, its derivative, and that of the derivative.</summary>
    public static void Limit<T>(ref T x, double c, out T slope, out T bend) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var (over, most, wide) = (T.CreateTruncating(1 / c), T.CreateTruncating(InputLimit.Most), x);
        var u = T.Clamp(x * over, -most, most);
        var square = (u * u) + T.One;
        var root = T.Sqrt(square);
        x = u / root * T.CreateTruncating(c);
        slope = T.One / (square * root);
        bend = T.CreateTruncating(-3) * u * over * slope / square;
        // infinity has no limited number: it stays a fault that has a name
        if (!T.IsFinite(wide)) x = wide - wide;
    }

    /// <summary>Rows of a block from the first matrix to the result of the last product, without its bias.</summary>
    /// <param name="call">The network.</param>
    /// <param name="first">The first row.</param>
    /// <param name="places">The places of rows that do not follow each other, or null.</param>
    /// <param name="rows">Their number.</param>
    /// <param name="here">The first matrix; it is written over.</param>
    /// <param name="next">A buffer.</param>
    /// <param name="tape">That of the block, or null.</param>
    /// <returns>The result: one of the buffers, or the end of the tape.</returns>
    public static T* Block<TLanes, T>(ResidualCall<T> call, int first, int* places, int rows, T* here, T* next, T* tape)
        where TLanes : struct, ILanes<TLanes, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var steps = call.Program.Steps;
        var all = rows * (1 + call.Tangents);
        var from = here;
        for (var i = 0; i < steps.Length; i++)
        {
            var pass = Pass(call, i, from, first, places, rows);
            pass.To = next;
            pass.Run<TLanes>(steps[i].Activation);
            nint stride = DenseProduct.Stride(steps[i].Outputs);
            var result = tape == null ? here : tape;
            DenseProduct.Multiply<TLanes, T>(next, pass.ToStride, 1, call.Panels(i), 0, all, steps[i].Outputs, steps[i].Inputs,
                new DenseFinish<T> { Result = result, Stride = stride });
            from = result;
            if (tape != null) tape += all * stride;
        }
        return from;
    }

    /// <summary>The activation before a layer, but for where its results go.</summary>
    public static ResidualPass<T> Pass<T>(ResidualCall<T> call, int layer, T* from, int first, int* places, int rows)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var step = call.Program.Steps[layer];
        return new()
        {
            From = from,
            FromStride = DenseProduct.Stride(step.Before),
            Bias = layer == 0 ? null : call.Biases[layer - 1],
            Shift = layer == 1 ? call.Shift : null,
            Places = places,
            First = first,
            ToStride = DenseProduct.Stride(step.Inputs),
            Rows = rows,
            Tangents = call.Tangents,
            Width = step.Before,
            Beta = call.Betas[layer],
            Factor = step.Factor,
        };
    }

    private readonly struct Code<T>(ResidualCall<T> call, T* tape, T* z, T* logDet, int start, int end) : ILaneCode<T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, T>
        {
            var (d, size, tangents) = (call.Program.Features, call.BufferSize, call.Tangents);
            var here = (T*)KernelScratch.Own(2 * size * sizeof(T) / sizeof(float));
            nint stride = DenseProduct.Stride(d);
            var bias = call.Biases[^1];
            var matrix = stackalloc double[ResidualDeterminant.Most * ResidualDeterminant.Most];
            for (var block = start; block < end; block++)
            {
                var first = block * call.BlockRows;
                var rows = Math.Min(call.BlockRows, call.Rows - first);
                var x = call.X + ((nint)first * d);
                ResidualForward.Begin(call, x, rows, here);
                var from = ResidualForward.Block<TLanes, T>(call, first, null, rows, here, here + size, tape == null ? null
                    : tape + ((nint)first * (1 + tangents) * (nint)call.Program.TapeWidth));
                for (var row = 0; row < rows; row++)
                {
                    for (var i = 0; i < d; i++)
                        z[((nint)(first + row) * d) + i] = x[((nint)row * d) + i] + (from[(row * stride) + i] + bias[i]);
                    if (tangents == 0) continue;
                    ResidualDeterminant.Load(from, stride, rows, row, d, matrix);
                    logDet[first + row] = T.CreateTruncating(ResidualDeterminant.Log(matrix, d));
                }
            }
        }
    }
}
