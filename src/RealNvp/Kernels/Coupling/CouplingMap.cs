namespace RealNvp.Kernels;

/// <summary>The elementwise map of a coupling, over rows that are <see cref="CouplingBlock.Columns"/> numbers each.</summary>
/// <param name="map">The map.</param>
/// <param name="inverse">The direction.</param>
/// <param name="weight">The weight of the map, or null.</param>
/// <param name="weights">Its numbers: 1, or one a column.</param>
internal readonly unsafe struct CouplingMap(ElementwiseCode map, bool inverse, float* weight, int weights)
{
    /// <summary>Values and log-derivatives.</summary>
    /// <param name="b">Where they are.</param>
    /// <param name="recorded">Whether <see cref="Gradients"/> will be asked with the same parameters, which may become a record.</param>
    public void Values(in CouplingBlock b, bool recorded = false)
    {
        var streams = stackalloc Stream<float>[5];
        var count = Common(b, streams, recorded && map.Records);
        streams[count++] = b.Out(b.Value);
        streams[count++] = b.Out(b.LogDerivative);
        map.Run(Job(b, streams, count, gradient: false, recorded));
    }

    /// <summary>The gradients of <see cref="Values"/>.</summary>
    /// <param name="b">Where they are.</param>
    /// <param name="recorded">What <see cref="Values"/> was told.</param>
    public void Gradients(in CouplingBlock b, bool recorded = false)
    {
        var streams = stackalloc Stream<float>[8];
        var count = Common(b, streams, inPlace: false);
        streams[count++] = b.In(b.OfValue);
        streams[count++] = b.IsColumn ? b.In(b.OfLogDet) : CouplingBlock.ByRow(b.OfLogDet, b.OfLogDetRow);
        streams[count++] = b.Out(b.OfInput);
        streams[count++] = b.Parameters(b.OfRaw, map.Parameters, output: true);
        if (weight != null) streams[count++] = b.Out(b.OfWeight);
        map.Run(Job(b, streams, count, gradient: true, recorded));
    }

    private int Common(in CouplingBlock b, Stream<float>* streams, bool inPlace)
    {
        streams[0] = b.In(b.Input);
        streams[1] = b.Parameters(b.Raw, map.Parameters, output: false) with { InPlace = inPlace };
        if (weight == null) return 2;
        streams[2] = new((nint)weight, 0, weights == 1 ? 0 : 1, false);
        return 3;
    }

    private ElementJob<float> Job(in CouplingBlock b, Stream<float>* streams, int count, bool gradient, bool recorded) =>
        new() { Streams = streams, Count = count, Inner = b.Columns, Runs = 1, Start = 0, End = b.Rows, Inverse = inverse,
            Gradient = gradient, Recorded = recorded && map.Records };
}
