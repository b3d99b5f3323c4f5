using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>Which of the weights of a plan are those of a network of linear layers.</summary>
/// <param name="Weights">(outputs, inputs) of each layer.</param>
/// <param name="Biases">One number an output, of each layer.</param>
/// <param name="Context">(outputs of the first layer, context); -1 for none.</param>
internal sealed record NetworkWeights(int[] Weights, int[] Biases, int Context);

/// <summary>A network whose weights are read as they lie, wherever they are in this call: for few rows of a model that changes.</summary>
/// <param name="program">The network.</param>
/// <param name="limit">The limit of what it sees; 0 for none.</param>
/// <param name="own">Its weights among those of the plan.</param>
internal sealed unsafe class PlainNetwork<T>(DenseProgram program, double limit, NetworkWeights own) : RowNetwork<T>(program, limit)
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly DenseLayer[] layers = [.. program.Layers];
    private readonly long size = RowForm<T>.Size(program.Widest);

    // input and context as the form has them, what is added later, and activations by turns
    protected override long OwnScratch => RowScratch.Size<T>(RowForm<T>.Size(Program.Inputs))
        + RowScratch.Size<T>(RowForm<T>.Size(Math.Max(1, Program.Context))) + (3 * RowScratch.Size<T>(size));

    protected override void Run(T* x, T* context, int rows, in RowBlock block, float* scratch, T* output)
    {
        for (var row = 0; row < rows;)
        {
            var form = RowForm<T>.Of(rows - row);
            Run(form, x + ((nint)row * InputStride), context == null ? null : context + ((nint)row * ContextStride), block.Weights, scratch,
                output + ((nint)row * OutputStride));
            row += form.Rows;
        }
    }

    private void Run(RowForm<T> form, T* from, T* context, nint* weights, float* scratch, T* output)
    {
        var memory = new RowScratch(scratch);
        var x = form.Bring(from, InputStride, Program.Inputs, memory.Take<T>(RowForm<T>.Size(Program.Inputs)));
        var given = memory.Take<T>(RowForm<T>.Size(Math.Max(1, Program.Context)));
        var sum = form.Place(memory.Take<T>(size), Program.Widest);
        RowUnits<T> even = form.Place(memory.Take<T>(size), Program.Widest), odd = form.Place(memory.Take<T>(size), Program.Widest);
        for (var i = 0; i < layers.Length; i++)
        {
            var layer = layers[i];
            var finish = new RowFinish<T> { Bias = (T*)weights[own.Biases[i]], BiasStep = 1 };
            if (layer.AddsSkip) finish.Addend = sum;
            if (i == 0 && context != null)
            {
                RowProduct<T>.Run(form, form.Bring(context, ContextStride, Program.Context, given), Program.Context,
                    (T*)weights[own.Context], Program.Context, layer.Outputs, new RowFinish<T> { Result = sum });
                finish.Addend = sum;
            }
            if (i == layers.Length - 1) finish.Result = new(output, 1, OutputStride);
            else
            {
                if (Program.IsAddedLater(i)) finish.Result = sum;
                finish.Relu = i % 2 == 0 ? even : odd;
            }
            RowProduct<T>.Run(form, x, layer.Inputs, (T*)weights[own.Weights[i]], layer.Inputs, layer.Outputs, finish);
            x = finish.Relu;
        }
    }
}
