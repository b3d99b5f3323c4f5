namespace RealNvp.Kernels;

/// <summary><see cref="PixelProduct{TLanes}"/> in the width of the hardware's vectors.</summary>
internal static unsafe class PixelLanes
{
    /// <inheritdoc cref="PixelProduct.Width"/>
    public static int Width(int channels) => PixelProduct.Width(channels, LaneWidth.Floats);

    /// <inheritdoc cref="PixelProduct.Scratch"/>
    public static int Scratch(int channels) => PixelProduct.Scratch(channels, LaneWidth.Floats);

    /// <inheritdoc cref="PixelProduct{TLanes}.Run"/>
    public static void Run(float* matrix, float* before, float* added, float* x, float* y, int channels, int pixels, float* scratch) =>
        LaneWidth.Run<Product, float>(new Product(matrix, before, added, x, y, channels, pixels, scratch));

    /// <inheritdoc cref="PixelProduct{TLanes}.AddGradient"/>
    public static void AddGradient(float* x, float* before, float* g, int channels, int pixels, float* sums, float* scratch) =>
        LaneWidth.Run<Gradient, float>(new Gradient(x, before, g, channels, pixels, sums, scratch));

    private readonly struct Product(float* matrix, float* before, float* added, float* x, float* y, int channels, int pixels,
        float* scratch) : ILaneCode<float>
    {
        public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, float> =>
            PixelProduct<TLanes>.Run(matrix, before, added, x, y, channels, pixels, scratch);
    }

    private readonly struct Gradient(float* x, float* before, float* g, int channels, int pixels, float* sums, float* scratch)
        : ILaneCode<float>
    {
        public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, float> =>
            PixelProduct<TLanes>.AddGradient(x, before, g, channels, pixels, sums, scratch);
    }
}
