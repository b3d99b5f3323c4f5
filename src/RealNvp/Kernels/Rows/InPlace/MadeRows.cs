using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>What a masked network is, in numbers.</summary>
/// <param name="Program">Its layers.</param>
/// <param name="Order">The feature of each step.</param>
/// <param name="Ends">For each step how many hidden units are known after it.</param>
/// <param name="PerFeature">The parameters of a feature.</param>
/// <param name="Limit">The limit of what it sees; 0 for none.</param>
internal sealed record MadeShape(DenseProgram Program, int[] Order, int[] Ends, int PerFeature, double Limit);

/// <summary>An autoregressive layer whose weights are read as they lie, each hidden unit once, from the units that it sees. Masks need not
/// be read: who sees whom is a matter of where units are.</summary>
/// <remarks>
/// All units of a step see the features before it and no others, and the units of the other layers see those up to their step. In the
/// direction of one pass all features are known, so that each layer is one product, whose units see as much as they may; in the other
/// one feature follows the other. In an order whose first features do not lie side by side they are shown to the first layer one after
/// the other in both.
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

    // what the units of a first layer see, and those of another; what the parameters of the features see, in the order of the steps
    private readonly RowFlight[]? first = First(made);
    private readonly RowFlight[] inner = [.. Enumerable.Range(0, made.Order.Length).Select(step => new RowFlight(
        (nint)Start(made, step) * made.Program.Layers[0].Outputs, 0, made.Ends[step], made.Ends[step] - Start(made, step)))];
    private readonly RowFlight[] last = [.. made.Order.Select((feature, step) => new RowFlight(
        (nint)feature * made.Program.Layers[0].Outputs, 0, made.Ends[step], made.PerFeature))];

    private readonly MadeSteps<T> steps = new(made, own);
    private readonly MadeRow? single = typeof(T) == typeof(float) ? MadeRow.Of(made, own) : null;
    private readonly MadePass? pass = typeof(T) == typeof(float) ? MadePass.Of(made, own) : null;

    // the numbers of a layer's units
    private readonly long size = RowUnits<T>.Size(made.Program.Layers[0].Outputs);

    private static int Start(MadeShape made, int step) => step == 0 ? 0 : made.Ends[step - 1];

    // null if the features that are known do not lie side by side in each step
    private static RowFlight[]? First(MadeShape made)
    {
        var features = made.Order.Length;
        var flights = new RowFlight[features];
        var (least, most) = (features, -1);
        for (var step = 0; step < features; step++)
        {
            if (step > 0) (least, most) = (Math.Min(least, made.Order[step - 1]), Math.Max(most, made.Order[step - 1]));
            if (step > 0 && most - least >= step) return null;
            var from = step == 0 ? 0 : least;
            flights[step] = new(((nint)Start(made, step) * features) + from, from, step, made.Ends[step] - Start(made, step));
        }
        return flights;
    }

    public override long Scratch
    {
        get
        {
            var elements = (long)RowUnits<T>.MostRows * features;
            var forward = RowScratch.Size<T>(RowUnits<T>.Size(features)) + RowScratch.Size<T>(layers * size)
                + RowScratch.Size<T>((long)RowUnits<T>.MostRows * outputs) + (3 * RowScratch.Size<T>(elements))
                + Math.Max(Math.Max(map.Scratch(elements), pass?.Scratch ?? 0), RowScratch.Size<T>((long)RowUnits<T>.MostRows * outputs));
            return RowScratch.Size<T>(size) + RowScratch.Size<T>((long)RowBlock.Most * DenseProduct.Stride(Math.Max(1, context)))
                + Math.Max(forward, Math.Max(steps.Scratch, single?.Scratch ?? 0) + map.Scratch(RowUnits<T>.MostRows));
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
        // what the context adds
        var given = memory.Take<T>(size);
        if (context > 0) Given(block, given, ref memory);
        var added = context > 0 ? given : null;
        var isSingle = block.Rows == 1 && map is RowMap<float>;
        if (inverse)
        {
            if (isSingle && MadeRow.CanRun && single is not null) single.Run(block, at, (RowMap<float>)(object)map, (float*)added, memory);
            else steps.Run(block, at, map, added, memory);
            return;
        }
        var seen = RowUnits<T>.Place(memory.Take<T>(RowUnits<T>.Size(features)), features);
        if (first is null) new Span<T>(seen.At, block.Rows * (int)seen.Row).Clear();
        // activations of each layer, and what is added later
        var state = new State { Rows = block.Rows, Seen = seen, Units = memory.Take<T>(layers * size), Given = given,
            Weights = block.Weights };
        var raw = memory.Take<T>((long)RowUnits<T>.MostRows * outputs);
        var count = (long)RowUnits<T>.MostRows * features;
        var elements = new RowElements<T> { Rows = block.Rows, Columns = features, Input = memory.Take<T>(count), Raw = raw,
            RawRow = outputs, Value = memory.Take<T>(count), LogDerivative = memory.Take<T>(count) };
        var rest = memory.Take(0);
        if (isSingle && MadePass.CanRun && pass is not null) pass.Run(block, at, (float*)added, (float*)raw, new RowScratch(rest));
        else Pass(state, block, raw, rest);
        RowColumns.Gather(block, at, elements.Input, features);
        map.Run(elements, block, inverse: false, rest);
        RowColumns.Put(block, at, elements);
    }

    // all parameters: those of the first kind of all features, and so on
    private void Pass(in State state, in RowBlock block, T* raw, float* rest)
    {
        for (var step = 0; step < features; step++)
        {
            if (first is null) Hidden(state, 0, step, step + 1);
            See(state, block, made.Order[step]);
        }
        for (var layer = first is null ? 1 : 0; layer < layers - 1; layer++) Hidden(state, layer, 0, features);
        var ordered = (T*)rest;
        Product(state, layers - 1, last, new RowFinish<T> { Result = new(ordered, 1, outputs) });
        var bias = (T*)state.Weights[own.Biases[^1]];
        for (var row = 0; row < block.Rows; row++, raw += outputs)
            for (var step = 0; step < features; step++)
                for (int p = 0, i = made.Order[step]; p < made.PerFeature; p++, i += features) raw[i] = *ordered++ + bias[i];
    }

    private void See(in State state, in RowBlock block, int feature)
    {
        for (var row = 0; row < block.Rows; row++)
            state.Seen[feature, row] =
                RowLimit<T>.Of(T.CreateTruncating(block.X[((nint)row * block.Features) + at[feature]]), made.Limit);
    }

    private struct State
    {
        public int Rows;
        public RowUnits<T> Seen;
        public T* Units, Given;
        public nint* Weights;
    }

    private RowUnits<T> Layer(in State state, int layer) => RowUnits<T>.Place(state.Units + (layer * size), hidden);

    // what the context adds to the first layer, for all units
    private void Given(in RowBlock block, T* to, ref RowScratch memory)
    {
        var stride = DenseProduct.Stride(context);
        var given = RowLimit<T>.Context(block, context, stride, made.Limit, memory.Take<T>((long)RowBlock.Most * stride));
        RowProduct<T>.Run(block.Rows, new(given, 1, stride), context, (T*)block.Weights[own.Context], context, hidden,
            new RowFinish<T> { Result = RowUnits<T>.Place(to, hidden) });
    }

    // the units of a hidden layer that become known in some steps
    private void Hidden(in State state, int layer, int step, int end)
    {
        var (start, program) = (Start(made, step), made.Program);
        if (made.Ends[end - 1] == start) return;
        var sums = Layer(state, layers - 1).From(start);
        var finish = new RowFinish<T> { Bias = (T*)state.Weights[own.Biases[layer]] + start, BiasStep = 1,
            Relu = Layer(state, layer).From(start) };
        if (program.IsAddedLater(layer)) finish.Result = sums;
        if (program.Layers[layer].AddsSkip) finish.Addend = sums;
        if (layer == 0 && context > 0) finish.Addend = RowUnits<T>.Place(state.Given, hidden).From(start);
        if (layer > 0) Product(state, layer, inner.AsSpan(step, end - step), finish);
        else if (first is not null) Product(state, 0, first.AsSpan(step, end - step), finish);
        else Product(state, 0, [new((nint)start * features, 0, features, made.Ends[step] - start)], finish);
    }

    private void Product(in State state, int layer, ReadOnlySpan<RowFlight> flights, in RowFinish<T> finish) => RowProduct<T>.Run(
        state.Rows, layer == 0 ? state.Seen : Layer(state, layer - 1), made.Program.Layers[layer].Inputs,
        (T*)state.Weights[own.Weights[layer]], layer < layers - 1 ? made.Program.Layers[layer].Inputs : (nint)features * hidden, flights,
        finish);
}
