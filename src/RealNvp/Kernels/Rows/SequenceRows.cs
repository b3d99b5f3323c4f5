namespace RealNvp.Kernels;

/// <summary>An autoregressive layer: one pass in one direction, and feature by feature in the other.</summary>
/// <param name="pass">The direction of one pass, forward.</param>
/// <param name="steps">The network feature by feature.</param>
/// <param name="network">The network of the pass, which knows the context.</param>
/// <param name="map">The map of a feature.</param>
/// <param name="inverted">Whether the layer is the inverse of that: data to latents feature by feature.</param>
internal sealed unsafe class SequenceRows(CouplingRows<float> pass, DenseSteps steps, RowNetwork<float> network, RowMap<float> map,
    bool inverted) : RowStep
{
    public override long Scratch => Math.Max(pass.Scratch, RowScratch.Size(steps.StateSize(RowBlock.Most)) + network.Scratch
        + RowScratch.Size((long)RowBlock.Most * steps.ParameterStride) + RowScratch.Size((long)RowBlock.Most * (steps.PerFeature + 3))
        + map.Scratch(RowBlock.Most));

    public override void Run(in RowBlock block, bool inverse)
    {
        if (inverse == inverted) pass.Run(block, inverse: false);
        else Sequence(block);
    }

    private void Sequence(in RowBlock block)
    {
        var rows = block.Rows;
        var scratch = new RowScratch(block.Scratch);
        var state = scratch.Take(steps.StateSize(RowBlock.Most));
        var raw = scratch.Take((long)RowBlock.Most * steps.ParameterStride);
        // a feature of all rows side by side, with what fills their last vector up
        var columns = map.Whole(rows);
        var side = scratch.Take((long)RowBlock.Most * (steps.PerFeature + 3));
        new Span<float>(side, columns * (steps.PerFeature + 1)).Clear();
        var input = side + (columns * steps.PerFeature);
        var part = new RowElements<float> { Rows = 1, Columns = columns, Raw = side, Input = input, Value = input + columns,
            LogDerivative = input + (2 * columns) };
        var rest = scratch.Take(0);
        if (steps.HasContext) network.Add(block, rest, steps.Added(state, rows), steps.AddedStride);
        for (var step = 0; step < steps.Features; step++)
        {
            steps.Step(state, rows, step, 0, rows, raw);
            var x = block.X + steps.FeatureOf(step);
            for (var p = 0; p < steps.PerFeature; p++)
                for (nint row = 0; row < rows; row++) side[(p * columns) + row] = raw[(row * steps.ParameterStride) + p];
            for (var row = 0; row < rows; row++) input[row] = (float)x[(nint)row * block.Features];
            map.RunWhole(part, block, inverse: true, rest);
            for (var row = 0; row < rows; row++)
            {
                x[(nint)row * block.Features] = part.Value[row];
                block.LogDet[row] += part.LogDerivative[row];
                steps.Know(state, step, row, part.Value[row]);
            }
        }
    }
}
