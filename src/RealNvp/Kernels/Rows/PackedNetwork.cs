namespace RealNvp.Kernels;

/// <summary>A network whose weights were packed once, for a model that does not change.</summary>
internal sealed unsafe class PackedNetwork : RowNetwork<float>
{
    private readonly DensePacked packed;

    /// <summary>Packs the weights.</summary>
    /// <param name="program">The network.</param>
    /// <param name="limit">The limit of what it sees; 0 for none.</param>
    /// <param name="memory">Room for <see cref="Size"/> numbers, on the boundary of a cache line, that lives as long as this.</param>
    /// <param name="weights">(outputs, inputs) of each layer.</param>
    /// <param name="biases">One number an output; null in place of zeros.</param>
    /// <param name="masks">The masks of the weights; null in place of ones.</param>
    /// <param name="contextWeight">(outputs of the first layer, context), if there is a context.</param>
    public PackedNetwork(DenseProgram program, double limit, float* memory, float*[] weights, float*[] biases, float*[] masks,
        float* contextWeight) : base(program, limit)
    {
        packed = new DensePacked(program, memory);
        new Span<float>(memory, checked((int)Size(program))).Clear();
        var (panels, ofContext) = (program.Panels(LaneWidth.Floats), DensePanels.Of<float>(LaneWidth.Floats));
        for (var i = 0; i < program.Layers.Count; i++)
        {
            var (inputs, outputs) = (program.Layers[i].Inputs, program.Layers[i].Outputs);
            if (biases[i] != null) packed.FillBias(program, i, biases[i]);
            DensePacking.Forward(weights[i], masks[i], inputs, outputs, inputs, panels, packed.Panels(i));
        }
        if (program.Context > 0)
            DensePacking.Forward(contextWeight, null, program.Context, program.Layers[0].Outputs, program.Context, ofContext,
                packed.ContextPanels);
    }

    /// <summary>The numbers of memory that packed weights need.</summary>
    public static long Size(DenseProgram program) => DensePacked.Size(program, program.Context > 0);

    protected override long OwnScratch => DenseBlock.ScratchSize(Program);

    protected override void Run(float* x, float* context, int rows, in RowBlock block, float* scratch, float* output) =>
        LaneWidth.Run<Code, float>(new Code(this, x, context, ContextStride, rows, scratch, output));

    protected override void AddContext(float* context, int rows, float* to, nint stride) =>
        LaneWidth.Run<ContextCode, float>(new ContextCode(this, context, ContextStride, rows, to, stride));

    private readonly struct Code(PackedNetwork network, float* x, float* context, nint contextStride, int rows, float* scratch,
        float* output) : ILaneCode<float>
    {
        public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, float> => DenseBlock.Run<TLanes>(network.Program, network.packed, x,
            network.InputStride, context, contextStride, rows, default, scratch, output);
    }

    private readonly struct ContextCode(PackedNetwork network, float* context, nint contextStride, int rows, float* to, nint stride)
        : ILaneCode<float>
    {
        public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, float> => DenseProduct.Multiply<TLanes, float>(context,
            contextStride, 1, network.packed.ContextPanels, 0, rows, network.Program.Layers[0].Outputs, network.Program.Context,
            new DenseFinish<float> { Result = to, Stride = stride });
    }
}
