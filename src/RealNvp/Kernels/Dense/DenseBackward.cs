using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>Where the gradients of a network go; null if one is not wanted.</summary>
/// <param name="layers">The number of layers.</param>
internal sealed unsafe class DenseGradients(int layers)
{
    /// <summary>(rows, inputs), contiguous.</summary>
    public float* X;

    /// <summary>(rows, context), contiguous.</summary>
    public float* Context;

    public float* ContextWeight;

    public float*[] Weights { get; init; } = new float*[layers];

    public float*[] Biases { get; init; } = new float*[layers];

    /// <summary>A row of numbers that come after the network.</summary>
    public float* After;

    /// <summary>How many they are.</summary>
    public int AfterCount;
}

/// <summary>The gradients of a network, a block of rows after the other, from what <see cref="DenseForward"/> wrote down.</summary>
/// <remarks>
/// The gradients of weights are sums over rows. The rows are parted in shares by their number alone, each share is
/// summed by one thread, and the shares are added in their order: the result is the same for every number of threads.
/// </remarks>
internal static unsafe class DenseBackward
{
    private const int ShareRows = 128, MostShares = 16;

    /// <param name="call">The network and its input.</param>
    /// <param name="tape">What the forward pass wrote down.</param>
    /// <param name="gradient">The gradient of the output, (rows, outputs), contiguous.</param>
    /// <param name="to">Gets the gradients.</param>
    public static void Run(DenseCall call, float* tape, float* gradient, DenseGradients to) => Run(call, to, (layout, sums, start, end) =>
    {
        if (LaneWidth.Floats == 16) Rows<Lanes512<float>>(call, tape, gradient, to, layout, (float*)sums, start, end);
        else Rows<Lanes256<float>>(call, tape, gradient, to, layout, (float*)sums, start, end);
    });

    /// <summary>Parts the rows in shares, lets <paramref name="share"/> (layout,
    /// its sums, first row, end) compute each, and adds them.</summary>
    public static void Run(DenseCall call, DenseGradients to, Action<DenseSums, nint, int, int> share)
    {
        var shares = Shares(call.Rows);
        var layout = new DenseSums(call.Program, to);
        var packed = call.PackedSize();
        var memory = KernelScratch.Shared(packed + (shares * layout.Size));
        var sums = memory + packed;
        call.PackBackward(memory);
        KernelThreads.For(shares, 2.0 * call.Rows * call.Program.Weights, DenseCall.Grain, (start, end) =>
        {
            for (var i = start; i < end; i++)
                share(layout, (nint)(sums + (i * layout.Size)), (int)(call.Rows * i / shares), (int)(call.Rows * (i + 1) / shares));
        });
        layout.Add(call, sums, shares);
    }

    /// <summary>In how many shares so many rows are summed.</summary>
    public static int Shares(int rows) => Math.Max(1, (int)Math.Min(MostShares,
        System.Numerics.BitOperations.RoundUpToPowerOf2((uint)((rows + ShareRows) / ShareRows)) / 2));

    private static void Rows<TLanes>(DenseCall call, float* tape, float* gradient, DenseGradients to, DenseSums layout, float* sums,
        int start, int end)
        where TLanes : struct, ILanes<TLanes, float>
    {
        var program = call.Program;
        var size = BufferSize(program);
        var scratch = KernelScratch.Own(3 * size);
        var most = DenseCall.BlockOf(end - start);
        for (var row = start; row < end; row += most)
        {
            var rows = Math.Min(most, end - row);
            float* here = scratch, next = scratch + size, input = scratch + (2 * size);
            DenseBlock.Copy(gradient + ((nint)row * program.Outputs), program.Outputs, here, DenseProduct.Stride(program.Outputs), rows,
                program.Outputs);
            DenseBlock.Copy(call.X + (row * call.XStride), call.XStride, input, DenseProduct.Stride(program.Inputs), rows,
                program.Inputs);
            var ofInput = Block<TLanes>(call, tape, to, layout, sums, row > start, row, rows, here, next, input, to.X != null);
            if (to.X != null)
                DenseBlock.Copy(ofInput, DenseProduct.Stride(program.Inputs), to.X + ((nint)row * program.Inputs), program.Inputs, rows,
                    program.Inputs);
        }
    }

    /// <summary>Elements of each of the three buffers of <see cref="Block"/>.</summary>
    public static long BufferSize(DenseProgram program) =>
        (long)DenseCall.Block * DenseProduct.Stride(Math.Max(program.Widest, program.Context));

    /// <summary>The gradients of at most <see cref="DenseCall.Block"/> rows.</summary>
    /// <param name="call">The network.</param>
    /// <param name="tape">What the forward pass wrote down, of all rows.</param>
    /// <param name="to">Which gradients are wanted. That of the context is written here.</param>
    /// <param name="layout">Where those of weights are in the sums.</param>
    /// <param name="sums">The sums of this share.</param>
    /// <param name="add">Whether there is something in the sums.</param>
    /// <param name="row">The first row.</param>
    /// <param name="rows">Their number.</param>
    /// <param name="here">The gradient of the output of these rows, a matrix of our own; it is written over, as all buffers are.</param>
    /// <param name="next">A buffer.</param>
    /// <param name="input">The input of these rows, a matrix of our own.</param>
    /// <param name="ofInput">Whether the gradient of the input is wanted.</param>
    /// <returns>The gradient of the input, a matrix of our own in one of the buffers, if it is wanted.</returns>
    public static float* Block<TLanes>(DenseCall call, float* tape, DenseGradients to, DenseSums layout, float* sums, bool add, int row,
        int rows, float* here, float* next, float* input, bool ofInput)
        where TLanes : struct, ILanes<TLanes, float>
    {
        var program = call.Program;
        for (var i = program.Layers.Count - 1; i >= 0; i--)
        {
            var layer = program.Layers[i];
            var stride = DenseProduct.Stride(layer.Outputs);
            var width = DenseProduct.Stride(layer.Inputs);
            var from = i == 0 ? input : tape + DenseForward.TapeAt(program, call.Rows, i - 1) + ((nint)row * width);
            if (to.Weights[i] != null)
                Weight<TLanes>(here, stride, from, width, sums + layout.Weight(i), width, rows, layer.Outputs, layer.Inputs, add,
                    program.Bands?[i]);
            if (to.Biases[i] != null) Columns<TLanes>(here, stride, sums + layout.Bias(i), rows, layer.Outputs, add);
            if (i == 0) break;
            // where the result before this one is added later, the gradient from there is what `next` holds still
            var finish = new DenseFinish<float> { Gate = from, Addend = program.IsAddedLater(i - 1) ? next
                : null, Result = next, Stride = width };
            DenseProduct.Multiply<TLanes, float>(here, stride, 1, call.Panels(i), 0, rows, layer.Inputs, layer.Outputs, finish,
                program.Bands?[i].OutputsOf);
            var swap = here;
            here = next;
            next = swap;
        }
        var outputs = program.Layers[0].Outputs;
        if (call.Context != null)
        {
            var features = DenseProduct.Stride(program.Context);
            if (to.ContextWeight != null)
            {
                DenseBlock.Copy(call.Context + (row * call.ContextStride), call.ContextStride, input, features, rows, program.Context);
                Weight<TLanes>(here, DenseProduct.Stride(outputs), input, features, sums + layout.ContextWeight, features, rows, outputs,
                    program.Context, add);
            }
            if (to.Context != null)
            {
                DenseProduct.Multiply<TLanes, float>(here, DenseProduct.Stride(outputs), 1, call.ContextPanels, 0, rows, program.Context,
                    outputs,
                    new DenseFinish<float> { Result = next, Stride = features });
                DenseBlock.Copy(next, features, to.Context + ((nint)row * program.Context), program.Context, rows, program.Context);
            }
        }
        if (ofInput)
            DenseProduct.Multiply<TLanes, float>(here, DenseProduct.Stride(outputs), 1, call.Panels(0), 0, rows, program.Inputs, outputs,
                new DenseFinish<float> { Result = next, Stride = DenseProduct.Stride(program.Inputs) }, program.Bands?[0].OutputsOf);
        return next;
    }

    /// <summary>gᵀ·h: rows are outputs, columns are inputs, steps are the examples. What is beyond the inputs in h is cleared.</summary>
    public static void Weight<TLanes>(float* gradient, nint stride, float* input, nint width, float* sum, nint sumStride, int rows,
        int outputs, int inputs, bool add, DenseBand? band = null)
        where TLanes : struct, ILanes<TLanes, float>
    {
        DenseBlock.ClearRest(input, width, rows, inputs);
        var finish = new DenseFinish<float> { Addend = add ? sum : null, Result = sum, Stride = sumStride };
        if (band is null) DenseProduct.Multiply<TLanes, float>(gradient, 1, stride, input, width, outputs, inputs, rows, finish);
        else DenseProduct.MultiplyRows<TLanes, float>(gradient, 1, stride, input, width, outputs, inputs, rows, finish, band.OutputsOf);
    }

    /// <summary>Σ over rows of each column; four sums a column, so that an addition need not wait for the one before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Columns<TLanes>(float* matrix, nint stride, float* sum, int rows, int columns, bool add)
        where TLanes : struct, ILanes<TLanes, float>
    {
        for (var column = 0; column < columns; column += TLanes.Count)
        {
            TLanes s0 = TLanes.Zero, s1 = TLanes.Zero, s2 = TLanes.Zero, s3 = TLanes.Zero;
            var from = matrix + column;
            var row = 0;
            for (; row <= rows - 4; row += 4, from += 4 * stride)
            {
                s0 += TLanes.Load(from);
                s1 += TLanes.Load(from + stride);
                s2 += TLanes.Load(from + (2 * stride));
                s3 += TLanes.Load(from + (3 * stride));
            }
            for (; row < rows; row++, from += stride) s0 += TLanes.Load(from);
            s0 = (s0 + s1) + (s2 + s3);
            TLanes.Store(add ? (s0 + TLanes.Load(sum + column)) : s0, sum + column);
        }
    }
}
