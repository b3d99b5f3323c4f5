namespace RealNvp.Kernels;

/// <summary>One call of a fused layer: where its numbers are.</summary>
/// <param name="shape">The layer.</param>
/// <param name="net">The network. Its input is that of the layer.</param>
/// <param name="inverse">The direction.</param>
/// <param name="weight">The weight of the map, or null.</param>
/// <param name="weights">Its numbers: 1, or one a column.</param>
internal sealed unsafe class CouplingCall(CouplingShape shape, DenseCall net, bool inverse, float* weight, int weights)
{
    public CouplingShape Shape => shape;

    public DenseCall Net => net;

    public double Work => net.Rows * (net.Program.Weights + (shape.Columns * shape.Map.Cost));

    /// <summary>Maps rows that are <see cref="CouplingBlock.Columns"/> numbers each.</summary>
    public void Map(in CouplingBlock b)
    {
        var streams = stackalloc Stream<float>[5];
        var count = Common(b, streams);
        streams[count++] = b.Out(b.Value);
        streams[count++] = b.Out(b.LogDerivative);
        shape.Map.Run(Job(b, streams, count, gradient: false));
    }

    /// <summary>The gradients of <see cref="Map"/>.</summary>
    public void Gradients(in CouplingBlock b)
    {
        var streams = stackalloc Stream<float>[8];
        var count = Common(b, streams);
        streams[count++] = b.In(b.OfValue);
        streams[count++] = CouplingBlock.ByRow(b.OfLogDet, b.OfLogDetRow);
        streams[count++] = b.Out(b.OfInput);
        streams[count++] = b.Parameters(b.OfRaw, shape.Map.Parameters, output: true);
        if (weight != null) streams[count++] = b.Out(b.OfWeight);
        shape.Map.Run(Job(b, streams, count, gradient: true));
    }

    private int Common(in CouplingBlock b, Stream<float>* streams)
    {
        streams[0] = b.In(b.Input);
        streams[1] = b.Parameters(b.Raw, shape.Map.Parameters, output: false);
        if (weight == null) return 2;
        streams[2] = new((nint)weight, 0, weights == 1 ? 0 : 1, false);
        return 3;
    }

    private ElementJob<float> Job(in CouplingBlock b, Stream<float>* streams, int count, bool gradient) =>
        new() { Streams = streams, Count = count, Inner = b.Columns, Runs = 1, Start = 0, End = b.Rows, Inverse = inverse,
            Gradient = gradient };
}
