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
    private readonly long size = RowUnits<T>.Size(program.Widest);

    // what is added later, and activations by turns
    protected override long OwnScratch => 3 * RowScratch.Size<T>(size);

    protected override void Run(T* x, T* context, int rows, in RowBlock block, float* scratch, T* output)
    {
        for (nint row = 0; row < rows; row += RowUnits<T>.MostRows)
            Run((int)Math.Min(RowUnits<T>.MostRows, rows - row), new(x + (row * InputStride), 1, InputStride),
                context == null ? default : new(context + (row * ContextStride), 1, ContextStride), block.Weights, scratch,
                new(output + (row * OutputStride), 1, OutputStride));
    }

    private void Run(int rows, RowUnits<T> x, RowUnits<T> context, nint* weights, float* scratch, RowUnits<T> output)
    {
        var memory = new RowScratch(scratch);
        var sum = RowUnits<T>.Place(memory.Take<T>(size), Program.Widest);
        RowUnits<T> even = RowUnits<T>.Place(memory.Take<T>(size), Program.Widest),
            odd = RowUnits<T>.Place(memory.Take<T>(size), Program.Widest);
        for (var i = 0; i < layers.Length; i++)
        {
            var layer = layers[i];
            var finish = new RowFinish<T> { Bias = (T*)weights[own.Biases[i]], BiasStep = 1 };
            if (layer.AddsSkip) finish.Addend = sum;
            if (i == 0 && !context.IsNull)
            {
                RowProduct<T>.Run(rows, context, Program.Context, (T*)weights[own.Context], Program.Context, layer.Outputs,
                    new RowFinish<T> { Result = sum });
                finish.Addend = sum;
            }
            if (i == layers.Length - 1) finish.Result = output;
            else
            {
                if (Program.IsAddedLater(i)) finish.Result = sum;
                finish.Relu = i % 2 == 0 ? even : odd;
            }
            RowProduct<T>.Run(rows, x, layer.Inputs, (T*)weights[own.Weights[i]], layer.Inputs, layer.Outputs, finish);
            x = finish.Relu;
        }
    }
}
