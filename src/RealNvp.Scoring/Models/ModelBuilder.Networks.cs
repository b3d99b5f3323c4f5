using RealNvp.Kernels;

namespace RealNvp.Scoring.Models;

internal sealed unsafe partial class ModelBuilder
{
    /// <summary>A network of residual blocks.</summary>
    public RowNetwork<float> ResidualMlp(string key, int inputs, int outputs, int hidden, int blocks, int context, double limit)
    {
        var (layers, given) = Start(key, inputs, hidden, context);
        for (var i = 0; i < blocks; i++)
        {
            layers.Add(Layer($"{key}.inner.{i}", hidden, hidden));
            layers.Add(Layer($"{key}.outer.{i}", hidden, hidden));
        }
        layers.Add(Layer($"{key}.last", hidden, outputs));
        return Packed(new DenseProgram(inputs, Outputs(hidden, (2 * blocks) + 1, outputs), context, residual: true), limit, layers,
            (nint)given);
    }

    /// <summary>A network of plain layers.</summary>
    public RowNetwork<float> Mlp(string key, int inputs, int outputs, int hidden, int hiddenLayers)
    {
        var layers = new List<(nint, nint)>();
        for (var i = 0; i < hiddenLayers; i++) layers.Add(Layer($"{key}.layers.{i}", i == 0 ? inputs : hidden, hidden));
        layers.Add(Layer($"{key}.last", hidden, outputs));
        var given = ContextSize > 0 ? (nint)Weight($"{key}.context.weight", hidden, ContextSize) : 0;
        return Packed(new DenseProgram(inputs, Outputs(hidden, hiddenLayers, outputs), ContextSize), Limit, layers, given);
    }

    /// <summary>A masked network, and the same feature by feature.</summary>
    public (RowNetwork<float> Network, DenseSteps Steps) Made(string key, int perFeature, int hidden, int blocks, bool residual,
        bool reversed)
    {
        var (features, outputs) = (Features, checked(Features * perFeature));
        var (layers, given) = Start(key, features, hidden, ContextSize);
        for (var i = 0; i < blocks; i++)
        {
            layers.Add(Layer($"{key}.inner.{i}", hidden, hidden));
            if (residual) layers.Add(Layer($"{key}.outer.{i}", hidden, hidden));
        }
        layers.Add(Layer($"{key}.last", hidden, outputs));
        long[] positions = [.. Enumerable.Range(0, features).Select(i => (long)(reversed ? features - 1 - i : i))];
        var units = new MaskedUnits(positions, hidden, ContextSize > 0);
        var program = new DenseProgram(features, Outputs(hidden, layers.Count - 1, outputs), ContextSize, residual,
            units.Bands(layers.Count, perFeature));
        var inner = (nint)Mask(hidden, hidden, units.HiddenSees);
        nint[] masks = [(nint)Mask(hidden, features, units.FirstSees), .. Enumerable.Repeat(inner, layers.Count - 2),
            (nint)Mask(outputs, hidden, units.LastSees)];
        var (matrices, biases) = (Pointers(layers, bias: false), Pointers(layers, bias: true));
        var network = Packed(program, Limit, matrices, biases, Pointers([.. masks.Select(mask => (mask, mask))], bias: false), given);
        var steps = new DenseSteps(program, MaskedUnits.OrderOf(positions), units.Ends, perFeature, Limit > 0 ? Limit
            : null, ContextSize > 0);
        steps.Place(Room(steps.WeightSize), biases);
        for (var step = 0; step < features; step++) steps.Pack(matrices, step);
        // all of it is packed by now
        weights.Clear();
        return (network, steps);
    }

    private (List<(nint, nint)> Layers, nint Context) Start(string key, int inputs, int hidden, int context) =>
        ([Layer($"{key}.first", inputs, hidden)], context > 0 ? (nint)Weight($"{key}.context.weight", hidden, context) : 0);

    private (nint Weight, nint Bias) Layer(string key, int inputs, int outputs) =>
        ((nint)Weight($"{key}.weight", outputs, inputs), (nint)Weight($"{key}.bias", outputs));

    private static IReadOnlyList<long> Outputs(long hidden, int count, long last) => [.. Enumerable.Repeat(hidden, count), last];

    private float* Mask(int outputs, int inputs, Func<int, int, bool> sees)
    {
        var mask = Pinned(new float[checked(outputs * inputs)]);
        for (var output = 0; output < outputs; output++)
            for (var input = 0; input < inputs; input++) mask[(output * inputs) + input] = sees(output, input) ? 1 : 0;
        return Pointer(mask);
    }

    private PackedNetwork Packed(DenseProgram program, double limit, List<(nint, nint)> layers, nint context)
    {
        var network = Packed(program, limit, Pointers(layers, bias: false), Pointers(layers, bias: true), new float*[layers.Count],
            context);
        weights.Clear();
        return network;
    }

    private PackedNetwork Packed(DenseProgram program, double limit, float*[] matrices, float*[] biases, float*[] masks, nint context) =>
        new(program, limit, Room(PackedNetwork.Size(program)), matrices, biases, masks, (float*)context);

    private static float*[] Pointers(List<(nint Weight, nint Bias)> layers, bool bias)
    {
        var pointers = new float*[layers.Count];
        for (var i = 0; i < pointers.Length; i++) pointers[i] = (float*)(bias ? layers[i].Bias : layers[i].Weight);
        return pointers;
    }
}
