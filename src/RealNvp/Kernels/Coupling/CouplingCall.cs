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

    /// <summary>Maps rows.</summary>
    /// <param name="b">Where they are.</param>
    /// <param name="recorded">Whether the parameters are on a tape for <see cref="Gradients"/>, and of no use for anything else.</param>
    public void Map(in CouplingBlock b, bool recorded) => Code.Values(b, recorded);

    /// <summary>The gradients of <see cref="Map"/>, from the tape.</summary>
    public void Gradients(in CouplingBlock b) => Code.Gradients(b, recorded: true);

    private CouplingMap Code => new(shape.Map, inverse, weight, weights);
}
