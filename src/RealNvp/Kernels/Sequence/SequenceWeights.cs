namespace RealNvp.Kernels;

/// <summary>The weights of a masked network as a sequence needs them: for each group of steps what comes from outside of it, by layer, and
/// for each step what comes from within its group; no part that is masked.</summary>
internal sealed unsafe class SequenceWeights
{
    // panels of single steps are narrow: vectors of 8
    private const int Narrow = 8, Widest = 16;
    private readonly SequenceShape shape;
    private readonly long[] outer, inner, biases;
    private readonly float* memory;

    /// <summary>Places all parts for one direction; nothing is written.</summary>
    public SequenceWeights(SequenceShape shape, bool backward)
    {
        this.shape = shape;
        outer = new long[shape.Groups.Length * shape.Layers];
        inner = new long[shape.Features * shape.Layers];
        biases = new long[shape.Layers];
        var size = 0L;
        for (var layer = 0; layer < shape.Layers; layer++)
        {
            biases[layer] = size;
            size += DenseProduct.Stride((layer == shape.Layers - 1 ? shape.RawStride : shape.UnitStride) + (2 * Widest));
        }
        for (var g = 0; g < shape.Groups.Length; g++)
            for (var layer = 0; layer < shape.Layers; layer++)
            {
                outer[(g * shape.Layers) + layer] = size;
                var part = backward ? OuterBackward(shape.Groups[g], layer) : Outer(shape.Groups[g], layer);
                size += DensePacking.Size(part.Columns, part.Steps, Widest);
                for (var step = shape.Groups[g].Start; step < shape.Groups[g].End; step++)
                {
                    inner[(step * shape.Layers) + layer] = size;
                    part = backward ? InnerBackward(shape.Groups[g], step, layer) : Inner(shape.Groups[g], step, layer);
                    size += DensePacking.Size(part.Columns, part.Steps, Narrow);
                }
            }
        Context = size;
        size += backward ? DensePacking.Size(shape.Program.Context, shape.Hidden, Widest)
            : DensePacking.Size(shape.Hidden, shape.Program.Context, Widest);
        Ordered = size;
        Count = size + ((long)shape.Hidden * shape.Features) + ((long)shape.Hidden * shape.Features * shape.Parameters);
    }

    // the same places in a memory
    private SequenceWeights(SequenceWeights places, float* memory)
    {
        (shape, outer, inner, biases) = (places.shape, places.outer, places.inner, places.biases);
        (Context, Ordered, Count) = (places.Context, places.Ordered, places.Count);
        this.memory = memory;
    }

    /// <summary>A part of a weight: where it begins, its columns and the steps of the sum.</summary>
    public readonly record struct Part(int Row, int Column, int Columns, int Steps);

    private long Ordered { get; }

    private long Context { get; }

    /// <summary>The numbers of memory that all of it needs.</summary>
    public long Count { get; }

    /// <summary>Where the result of a part of a group goes, by layer: columns are outputs, of units or of parameters.</summary>
    public Part Outer(SequenceGroup group, int layer) =>
        new(At(group, layer), 0, Width(group, layer), layer == 0 ? group.Start : group.First);

    /// <summary>The same within a group, for one step.</summary>
    public Part Inner(SequenceGroup group, int step, int layer)
    {
        var (first, end) = (shape.First(step), shape.Ends[step]);
        if (layer == shape.Layers - 1) return new(step * shape.Parameters, group.First, shape.Parameters, end - group.First);
        return layer == 0 ? new(first, group.Start, end - first, step - group.Start)
            : new(first, group.First, end - first, end > first ? end - group.First : 0);
    }

    /// <summary>For gradients of what enters a layer, from outside of the group; columns are inputs: features of the first layer.</summary>
    public Part OuterBackward(SequenceGroup group, int layer)
    {
        if (layer == shape.Layers - 1)
            return new(group.End * shape.Parameters, group.First, group.Units, (shape.Features - group.End) * shape.Parameters);
        return layer == 0 ? new(group.Last, group.Start, group.Steps, shape.Hidden - group.Last)
            : new(group.Last, group.First, group.Units, shape.Hidden - group.Last);
    }

    /// <summary>The same within a group, for one step.</summary>
    public Part InnerBackward(SequenceGroup group, int step, int layer)
    {
        var (first, end) = (shape.First(step), shape.Ends[step]);
        if (layer == shape.Layers - 1) return new(step * shape.Parameters, first, end - first, (group.End - step) * shape.Parameters);
        return layer == 0 ? new(end, step, 1, group.Last - end) : new(first, first, end - first, group.Last - first);
    }

    public float* OuterPanels(int group, int layer) => memory + outer[(group * shape.Layers) + layer];

    public float* InnerPanels(int step, int layer) => memory + inner[(step * shape.Layers) + layer];

    /// <summary>The bias of a layer, that of the last one in the order of the steps.</summary>
    public float* Bias(int layer) => memory + biases[layer];

    /// <summary>The weight of the context.</summary>
    public float* ContextPanels => memory + Context;

    /// <summary>Packs all weights forward, into memory that the thread shares.</summary>
    public static SequenceWeights Forward(SequenceCall call)
    {
        var places = call.Shape.Forward;
        var weights = new SequenceWeights(places, KernelScratch.Shared(places.Count));
        weights.FillBiases(call.Net.Biases);
        weights.Pack(call.Net, false);
        if (call.Net.Context == null) return weights;
        var (hidden, features) = (call.Shape.Hidden, call.Shape.Program.Context);
        PackPart(call.Net.ContextWeight, features, new(0, 0, hidden, features), false, LaneWidth.Floats, weights.ContextPanels);
        return weights;
    }

    /// <summary>Packs all weights for gradients, into memory for <see cref="Count"/> numbers.</summary>
    public static SequenceWeights Backward(SequenceCall call, float* memory)
    {
        var weights = new SequenceWeights(call.Shape.Backward, memory);
        weights.Pack(call.Net, true);
        if (call.Net.Context != null)
            DensePacking.Backward(call.Net.ContextWeight, null, call.Shape.Program.Context, call.Shape.Hidden, call.Shape.Program.Context,
                DensePanels.Of<float>(LaneWidth.Floats), weights.ContextPanels);
        return weights;
    }

    private int At(SequenceGroup group, int layer) => layer == shape.Layers - 1 ? group.Start * shape.Parameters : group.First;

    private int Width(SequenceGroup group, int layer) => layer == shape.Layers - 1 ? group.Steps * shape.Parameters : group.Units;

    private void FillBiases(float*[] given)
    {
        for (var layer = 0; layer < shape.Layers - 1; layer++)
            new ReadOnlySpan<float>(given[layer], shape.Hidden).CopyTo(new Span<float>(Bias(layer), shape.Hidden));
        var last = Bias(shape.Layers - 1);
        for (var step = 0; step < shape.Features; step++)
            for (var p = 0; p < shape.Parameters; p++) *last++ = given[^1][(p * shape.Features) + shape.Order[step]];
    }

    private void Pack(DenseCall net, bool backward)
    {
        // the first weight with its columns, and the last with its rows in the order of the steps
        var (features, hidden) = (shape.Features, shape.Hidden);
        float* first = memory + Ordered, last = first + ((long)hidden * features);
        for (var unit = 0; unit < hidden; unit++)
            for (var step = 0; step < features; step++)
                first[((long)unit * features) + step] = net.Weights[0][((long)unit * features) + shape.Order[step]];
        for (var step = 0; step < features; step++)
            for (var p = 0; p < shape.Parameters; p++)
                DenseBlock.Copy(net.Weights[^1] + ((long)((p * features) + shape.Order[step]) * hidden), 0,
                    last + ((long)((step * shape.Parameters) + p) * hidden), 0, 1, hidden);
        KernelThreads.For(shape.Groups.Length, 16.0 * shape.Work, DenseCall.Grain, (start, end) =>
        {
            for (var g = (int)start; g < end; g++)
                for (var layer = 0; layer < shape.Layers; layer++)
                {
                    var group = shape.Groups[g];
                    float* weight = layer == 0 ? first : layer == shape.Layers - 1 ? last : net.Weights[layer];
                    var stride = layer == 0 ? features : hidden;
                    PackPart(weight, stride, backward ? OuterBackward(group, layer) : Outer(group, layer), backward, LaneWidth.Floats,
                        OuterPanels(g, layer));
                    for (var step = group.Start; step < group.End; step++)
                        PackPart(weight, stride, backward ? InnerBackward(group, step, layer) : Inner(group, step, layer), backward, Narrow,
                            InnerPanels(step, layer));
                }
        });
    }

    private static void PackPart(float* weight, nint stride, Part part, bool backward, int lanes, float* to)
    {
        weight += (part.Row * stride) + part.Column;
        if (part.Columns == 0 || part.Steps == 0) return;
        var panels = DensePanels.Of<float>(lanes);
        if (backward) DensePacking.Backward(weight, null, stride, part.Steps, part.Columns, panels, to);
        else DensePacking.Forward(weight, null, stride, part.Columns, part.Steps, panels, to);
    }
}
