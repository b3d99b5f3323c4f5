using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>What a masked network is, in numbers.</summary>
/// <param name="Program">Its layers.</param>
/// <param name="Order">The feature of each step.</param>
/// <param name="Ends">For each step how many hidden units are known after it.</param>
/// <param name="PerFeature">The parameters of a feature.</param>
/// <param name="Limit">The limit of what it sees; 0 for none.</param>
internal sealed record MadeShape(DenseProgram Program, int[] Order, int[] Ends, int PerFeature, double Limit);

/// <summary>An autoregressive layer whose weights are read as they lie: in both directions feature by feature, each hidden unit once, from
/// the units that it sees. Masks need not be read: who sees whom is a matter of where units are.</summary>
/// <remarks>
/// All units of a step see the features before it and no others, so these are shown to the first layer one after the other; the units of
/// the other layers see those before them. The direction of one pass does the same, and maps all features at the end.
/// </remarks>
/// <param name="at">Where the features are.</param>
/// <param name="made">The network.</param>
/// <param name="own">Its weights among those of the plan.</param>
/// <param name="map">The map of a feature.</param>
internal sealed unsafe class MadeRows<T>(int[] at, MadeShape made, NetworkWeights own, RowMap<T> map) : RowStep
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly int features = made.Order.Length, layers = made.Program.Layers.Count, hidden = made.Program.Layers[0].Outputs,
        outputs = made.Program.Outputs, context = made.Program.Context;

    // the numbers of a layer's units
    private readonly long size = RowUnits<T>.Size(made.Program.Layers[0].Outputs);

    public override long Scratch
    {
        get
        {
            var elements = (long)RowUnits<T>.MostRows * features;
            return RowScratch.Size<T>(RowUnits<T>.Size(features)) + RowScratch.Size<T>((layers + 1) * size)
                + RowScratch.Size<T>((long)RowUnits<T>.MostRows * outputs) + (3 * RowScratch.Size<T>(elements))
                + RowScratch.Size<T>((long)RowBlock.Most * DenseProduct.Stride(Math.Max(1, context))) + map.Scratch(elements);
        }
    }

    public override void Run(in RowBlock block, bool inverse)
    {
        for (nint row = 0; row < block.Rows; row += RowUnits<T>.MostRows)
        {
            var part = block with { Rows = (int)Math.Min(RowUnits<T>.MostRows, block.Rows - row), X = block.X + (row * block.Features),
                LogDet = block.LogDet + row };
            if (context > 0) part.Context = block.Context + (row * block.ContextStride);
            Few(part, inverse);
        }
    }

    private void Few(in RowBlock block, bool inverse)
    {
        var memory = new RowScratch(block.Scratch);
        var seen = RowUnits<T>.Place(memory.Take<T>(RowUnits<T>.Size(features)), features);
        new Span<T>(seen.At, block.Rows * (int)seen.Row).Clear();
        // activations of each layer, what is added later, and what the context adds
        var units = memory.Take<T>((layers + 1) * size);
        var state = new State { Rows = block.Rows, Seen = seen, Units = units, Weights = block.Weights };
        for (var i = 0; i < layers - 1; i++) new Span<T>(Layer(state, i).At, block.Rows * (int)Layer(state, i).Row).Clear();
        var raw = memory.Take<T>((long)RowUnits<T>.MostRows * outputs);
        var count = (long)RowUnits<T>.MostRows * features;
        var elements = new RowElements<T> { Rows = block.Rows, Columns = inverse ? 1 : features, Input = memory.Take<T>(count), Raw = raw,
            RawRow = inverse ? made.PerFeature : outputs, Value = memory.Take<T>(count), LogDerivative = memory.Take<T>(count) };
        if (context > 0) Given(state, block, ref memory);
        var rest = memory.Take(0);
        for (var step = 0; step < features; step++)
        {
            var feature = made.Order[step];
            // parameters of all features side by side in a row, or those of this one
            var to = inverse ? new RowUnits<T>(raw, 1, made.PerFeature) : new RowUnits<T>(raw + feature, features, outputs);
            Step(state, step, to);
            if (inverse) Map(block, elements, feature, rest);
            for (var row = 0; row < block.Rows; row++)
                seen[feature, row] = RowLimit<T>.Of(T.CreateTruncating(block.X[((nint)row * block.Features) + at[feature]]), made.Limit);
        }
        if (inverse) return;
        RowColumns.Gather(block, at, elements.Input, features);
        map.Run(elements, block, inverse: false, rest);
        RowColumns.Put(block, at, elements);
    }

    private struct State
    {
        public int Rows;
        public RowUnits<T> Seen;
        public T* Units;
        public nint* Weights;
    }

    private RowUnits<T> Layer(in State state, int layer) => RowUnits<T>.Place(state.Units + (layer * size), hidden);

    // what the context adds to the first layer, for all units
    private void Given(in State state, in RowBlock block, ref RowScratch memory)
    {
        var stride = DenseProduct.Stride(context);
        var given = RowLimit<T>.Context(block, context, stride, made.Limit, memory.Take<T>((long)RowBlock.Most * stride));
        RowProduct<T>.Run(state.Rows, new(given, 1, stride), context, (T*)state.Weights[own.Context], context, hidden,
            new RowFinish<T> { Result = Layer(state, layers) });
    }

    // the units that become known, and the parameters of the feature
    private void Step(in State state, int step, RowUnits<T> parameters)
    {
        int start = step == 0 ? 0 : made.Ends[step - 1], end = made.Ends[step];
        var program = made.Program;
        var x = state.Seen;
        var inputs = features;
        for (var i = 0; i < layers - 1; i++)
        {
            var relu = Layer(state, i);
            if (end > start)
            {
                var sums = Layer(state, layers - 1).From(start);
                var finish = new RowFinish<T> { Bias = (T*)state.Weights[own.Biases[i]] + start, BiasStep = 1, Relu = relu.From(start) };
                if (program.IsAddedLater(i)) finish.Result = sums;
                if (program.Layers[i].AddsSkip) finish.Addend = sums;
                if (i == 0 && context > 0) finish.Addend = Layer(state, layers).From(start);
                var width = program.Layers[i].Inputs;
                RowProduct<T>.Run(state.Rows, x, inputs, (T*)state.Weights[own.Weights[i]] + ((nint)start * width), width, end - start,
                    finish);
            }
            x = relu;
            // to the end of a vector: units that are not known yet are 0
            inputs = Math.Min(hidden, (end + 15) / 16 * 16);
        }
        var feature = made.Order[step];
        RowProduct<T>.Run(state.Rows, x, inputs, (T*)state.Weights[own.Weights[layers - 1]] + ((nint)feature * hidden),
            (nint)features * hidden, made.PerFeature, new RowFinish<T>
            {
                Bias = (T*)state.Weights[own.Biases[layers - 1]] + feature, BiasStep = features, Result = parameters,
            });
    }

    private void Map(in RowBlock block, in RowElements<T> elements, int feature, float* rest)
    {
        var x = block.X + at[feature];
        for (var row = 0; row < block.Rows; row++) elements.Input[row] = T.CreateTruncating(x[(nint)row * block.Features]);
        map.Run(elements, block, inverse: true, rest);
        for (var row = 0; row < block.Rows; row++)
        {
            x[(nint)row * block.Features] = double.CreateTruncating(elements.Value[row]);
            block.LogDet[row] += double.CreateTruncating(elements.LogDerivative[row]);
        }
    }
}
