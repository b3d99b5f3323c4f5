using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>A masked network on few rows feature by feature, over weights as they lie: each hidden unit once, as soon as it can
/// be.</summary>
/// <remarks>
/// Of one row a step is a chain: what one layer gives is what the next one waits for. So a step is one loop over the layers, with nothing
/// between two products but what ends the one. Units that are not known yet are zeros, so that what a unit sees may end with a whole
/// vector.
/// </remarks>
/// <param name="made">The network.</param>
/// <param name="own">Its weights among those of the plan.</param>
internal sealed unsafe class MadeSteps<T>(MadeShape made, NetworkWeights own) where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly int features = made.Order.Length, last = made.Program.Layers.Count - 1, hidden = made.Program.Layers[0].Outputs,
        seenRow = DenseProduct.Stride(made.Order.Length), row = DenseProduct.Stride(made.Program.Layers[0].Outputs);

    // for each step how many features lie before the last one that is known
    private readonly int[] seen = [.. Enumerable.Range(0, made.Order.Length).Select(step => made.Order[..step].Append(-1).Max() + 1)];

    // a hidden layer: what it reads, and what becomes of its units. Numbers of a row lie side by side.
    private struct Layer
    {
        public T* X, Weight, Bias, Addend, Result, Relu;
        public nint XRow;
        public int Width;
    }

    /// <summary>The numbers of scratch memory that <see cref="Run"/> needs, that of the map left out.</summary>
    public long Scratch => RowScratch.Size<T>((long)RowUnits<T>.MostRows * seenRow)
        + RowScratch.Size<T>((long)RowUnits<T>.MostRows * row * (last + 2))
        + RowScratch.Size<T>(RowUnits<T>.MostRows * RowProduct<T>.Together)
        + RowScratch.Size<T>((long)RowUnits<T>.MostRows * (made.PerFeature + 3));

    /// <summary>Takes rows from latents to data, and adds the log-determinants.</summary>
    /// <param name="block">The rows, at most <see cref="RowUnits{T}.MostRows"/>.</param>
    /// <param name="at">Where the features are.</param>
    /// <param name="map">The map of a feature.</param>
    /// <param name="given">What the context adds to the first layer, of all units, in rows of as many numbers as those of hidden layers;
    /// null for nothing.</param>
    /// <param name="memory">Memory for <see cref="Scratch"/> numbers, and for the map's.</param>
    [SkipLocalsInit]
    public void Run(in RowBlock block, int[] at, RowMap<T> map, T* given, RowScratch memory)
    {
        var rows = block.Rows;
        var known = memory.Take<T>((long)RowUnits<T>.MostRows * seenRow);
        var units = memory.Take<T>((long)RowUnits<T>.MostRows * row * (last + 2));
        var sums = memory.Take<T>(RowUnits<T>.MostRows * RowProduct<T>.Together);
        var raw = memory.Take<T>((long)RowUnits<T>.MostRows * (made.PerFeature + 3));
        var layers = stackalloc Layer[last + 1];
        Place(block, known, units, given, layers);
        new Span<T>(known, rows * seenRow).Clear();
        // elements that fill the last vector up too
        var columns = map.Whole(rows);
        new Span<T>(raw, columns * (made.PerFeature + 3)).Clear();
        var input = raw + (columns * made.PerFeature);
        var elements = new RowElements<T> { Rows = 1, Columns = columns, Raw = raw, Input = input, Value = input + columns,
            LogDerivative = input + (2 * columns) };
        int start = 0, firstVector = RowProduct<T>.VectorOf(features), vector = RowProduct<T>.VectorOf(hidden);
        for (var step = 0; step < features; step++)
        {
            var (end, feature) = (made.Ends[step], made.Order[step]);
            var sees = Math.Min((end + vector - 1) / vector * vector, hidden);
            if (end > start)
            {
                Units(rows, layers[0], Math.Min((seen[step] + firstVector - 1) / firstVector * firstVector, features), start, end, sums);
                for (var i = 1; i < last; i++) Units(rows, layers[i], sees, start, end, sums);
                start = end;
            }
            Parameters(rows, layers[last], sees, feature, sums, raw, columns);
            var x = block.X + at[feature];
            for (var r = 0; r < rows; r++) input[r] = T.CreateTruncating(x[(nint)r * block.Features]);
            map.RunWhole(elements, block, inverse: true, memory.Take(0));
            for (var r = 0; r < rows; r++)
            {
                var value = double.CreateTruncating(elements.Value[r]);
                x[(nint)r * block.Features] = value;
                block.LogDet[r] += double.CreateTruncating(elements.LogDerivative[r]);
                known[(r * seenRow) + feature] = RowLimit<T>.Of(elements.Value[r], made.Limit);
            }
        }
    }

    // of each layer what goes on to the next one, and of two what is added later, by turns: a result is not where an addend is
    private void Place(in RowBlock block, T* known, T* units, T* given, Layer* layers)
    {
        var size = (nint)block.Rows * row;
        var sum = 0;
        for (var i = 0; i <= last; i++)
        {
            var layer = new Layer { Weight = (T*)block.Weights[own.Weights[i]], Bias = (T*)block.Weights[own.Biases[i]],
                Width = made.Program.Layers[i].Inputs, X = i == 0 ? known : units + ((i - 1) * size), XRow = i == 0 ? seenRow : row };
            if (i < last)
            {
                layer.Relu = units + (i * size);
                if (made.Program.Layers[i].AddsSkip) layer.Addend = units + ((last + sum) * size);
                else if (i == 0) layer.Addend = given;
                if (made.Program.IsAddedLater(i)) layer.Result = units + ((last + (sum ^= 1)) * size);
            }
            layers[i] = layer;
        }
        new Span<T>(units, (int)(last * size)).Clear();
    }

    // the units of a hidden layer that become known in a step
    private void Units(int rows, in Layer layer, int sees, int start, int end, T* sums)
    {
        for (nint unit = start; unit < end; unit += RowProduct<T>.Together)
        {
            var flight = new RowFlight(0, 0, sees, (int)Math.Min(RowProduct<T>.Together, end - unit));
            RowProduct<T>.Sums(rows, new(layer.X, 1, layer.XRow), layer.Width, layer.Weight + (unit * layer.Width), layer.Width, &flight, 1,
                sums);
            switch (RowProduct<T>.VectorOf(flight.Units) * sizeof(T))
            {
                case 64: Finish<Lanes512<T>>(rows, layer, unit, flight.Units, sums); break;
                case 32: Finish<Lanes256<T>>(rows, layer, unit, flight.Units, sums); break;
                case 16: Finish<Lanes128<T>>(rows, layer, unit, flight.Units, sums); break;
                default: Finish<Lanes1<T>>(rows, layer, unit, flight.Units, sums); break;
            }
        }
    }

    // so that the last vector is whole, some units come once more
    private void Finish<TLanes>(int rows, in Layer layer, nint first, int units, T* sums) where TLanes : struct, ILanes<TLanes, T>
    {
        T* bias = layer.Bias + first, relu = layer.Relu + first, addend = layer.Addend, result = layer.Result;
        if (addend != null) addend += first;
        if (result != null) result += first;
        for (nint r = 0; r < rows; r++, sums += RowProduct<T>.Together, relu += row, addend += row, result += row)
            for (nint unit = 0; unit < units; unit += TLanes.Count)
            {
                var i = Math.Min(unit, units - TLanes.Count);
                var sum = TLanes.Load(sums + i);
                TLanes.Add(ref sum, bias + i);
                if (layer.Addend != null) TLanes.Add(ref sum, addend + i);
                if (layer.Result != null) TLanes.Store(sum, result + i);
                // NaN stays
                TLanes.Store(LaneMath<TLanes, T>.Relu(sum), relu + i);
            }
    }

    // of the feature of a step: each parameter of all rows side by side
    private void Parameters(int rows, in Layer layer, int sees, int feature, T* sums, T* raw, int columns)
    {
        for (nint p = 0; p < made.PerFeature; p += RowProduct<T>.Together)
        {
            var flight = new RowFlight(0, 0, sees, (int)Math.Min(RowProduct<T>.Together, made.PerFeature - p));
            RowProduct<T>.Sums(rows, new(layer.X, 1, layer.XRow), hidden, layer.Weight + (((p * features) + feature) * hidden),
                (nint)features * hidden, &flight, 1, sums);
            for (nint i = 0; i < flight.Units; i++)
            {
                var bias = layer.Bias[((p + i) * features) + feature];
                for (nint r = 0; r < rows; r++) raw[((p + i) * columns) + r] = sums[(r * RowProduct<T>.Together) + i] + bias;
            }
        }
    }
}
