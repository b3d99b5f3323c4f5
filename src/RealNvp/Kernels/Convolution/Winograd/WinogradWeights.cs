using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>Where the numbers of a weight (K, C, 3, 3) lie.</summary>
/// <param name="First">The first tap between output 0 and input 0.</param>
/// <param name="Output">The distance between outputs.</param>
/// <param name="Input">The distance between inputs.</param>
/// <param name="Tap">The distance between taps in reading order.</param>
internal readonly unsafe record struct WinogradWeight(nint First, nint Output, nint Input, nint Tap)
{
    public float* Memory => (float*)First;

    /// <summary>A weight (K, 3, 3, C).</summary>
    public static WinogradWeight ChannelsLast(float* memory, int inputs) => new((nint)memory, 9 * (nint)inputs, 1, inputs);

    /// <summary>The weight of the convolution that gives the gradient of
    /// the input: from outputs to inputs, turned by half a turn.</summary>
    public WinogradWeight Reversed => new((nint)(Memory + (8 * Tap)), Input, Output, -Tap);
}

/// <summary>Transformed weights, in panels of as many outputs as a
/// <see cref="DenseTile"/> has columns: [panel][position][input][column].</summary>
internal static unsafe class WinogradWeights
{
    // what an element of a weight costs, in multiply-adds: some 10 ns, and its 16 numbers of a share some 4
    private const double TransformWork = 700, ShareWork = 300;

    /// <summary>The elements of all panels.</summary>
    public static long Size(WinogradShape shape, int lanes) =>
        (long)WinogradShape.Positions * shape.C * WinogradShape.Whole(shape.K, lanes);

    /// <summary>Where the panel that begins at a column begins.</summary>
    public static nint PanelAt(WinogradShape shape, int column) => (nint)column * WinogradShape.Positions * shape.C;

    /// <summary>Transforms a weight into all its panels.</summary>
    public static void Transform<TLanes>(WinogradShape shape, WinogradWeight weight, float* panels)
        where TLanes : struct, ILanes<TLanes, float>
    {
        var cut = DensePanels.Of<float>(TLanes.Count);
        KernelThreads.For(shape.C, TransformWork * shape.C * shape.K, DenseCall.Grain, (start, end) =>
        {
            for (var column = 0; column < shape.K; column += cut.Full)
                Panel<TLanes>(shape, weight, column, (int)start, (int)end, panels + PanelAt(shape, column));
        });
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Panel<TLanes>(WinogradShape shape, WinogradWeight weight, int column, int start, int end, float* to)
        where TLanes : struct, ILanes<TLanes, float>
    {
        var width = DensePanels.Of<float>(TLanes.Count).Width(column, shape.K);
        var present = Math.Min(width, shape.K - column);
        var taps = stackalloc float[9 * width];
        new Span<float>(taps, 9 * width).Clear();
        nint plane = (nint)shape.C * width, apart = weight.Output;
        for (var input = start; input < end; input++)
        {
            for (var tap = 0; tap < 9; tap++)
            {
                var from = weight.Memory + (column * apart) + (input * weight.Input) + (tap * weight.Tap);
                var row = taps + (tap * width);
                for (var i = 0; i < present; i++, from += apart) row[i] = *from;
            }
            for (var o = 0; o < width; o += TLanes.Count)
                WinogradTransform.Weight<TLanes>(taps + o, width, to + ((nint)input * width) + o, plane);
        }
    }

    /// <summary>Adds the shares of the gradient of transformed weights in their order, and writes the gradient of the weight.</summary>
    public static void Gradient<TLanes>(WinogradShape shape, float* shares, nint share, WinogradWeight gradient)
        where TLanes : struct, ILanes<TLanes, float>
    {
        var cut = DensePanels.Of<float>(TLanes.Count);
        KernelThreads.For(shape.C, (TransformWork + (ShareWork * shape.Shares)) * shape.C * shape.K, DenseCall.Grain, (start, end) =>
        {
            for (var column = 0; column < shape.K; column += cut.Full)
                PanelGradient<TLanes>(shape, shares + PanelAt(shape, column), share, column, (int)start, (int)end, gradient);
        });
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PanelGradient<TLanes>(WinogradShape shape, float* shares, nint share, int column, int start, int end,
        WinogradWeight gradient) where TLanes : struct, ILanes<TLanes, float>
    {
        var width = DensePanels.Of<float>(TLanes.Count).Width(column, shape.K);
        var present = Math.Min(width, shape.K - column);
        float* sums = stackalloc float[WinogradShape.Positions * width], taps = stackalloc float[9 * width];
        nint plane = (nint)shape.C * width, apart = gradient.Output;
        for (var input = start; input < end; input++)
        {
            for (var position = 0; position < WinogradShape.Positions; position++)
                for (var o = 0; o < width; o += TLanes.Count)
                {
                    var from = shares + (position * plane) + ((nint)input * width) + o;
                    var sum = TLanes.Load(from);
                    for (var i = 1; i < shape.Shares; i++) sum += TLanes.Load(from + (i * share));
                    TLanes.Store(sum, sums + (position * width) + o);
                }
            for (var o = 0; o < width; o += TLanes.Count) WinogradTransform.WeightAdjoint<TLanes>(sums + o, taps + o, width);
            for (var tap = 0; tap < 9; tap++)
            {
                var to = gradient.Memory + (column * apart) + (input * gradient.Input) + (tap * gradient.Tap);
                var row = taps + (tap * width);
                for (var i = 0; i < present; i++, to += apart) *to = row[i];
            }
        }
    }
}
