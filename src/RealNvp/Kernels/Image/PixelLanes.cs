namespace RealNvp.Kernels;

/// <summary><see cref="PixelProduct{TLanes}"/> in the width of the hardware's vectors.</summary>
internal static unsafe class PixelLanes
{
    public static int Width(int channels) => LaneWidth.Bits switch
    {
        512 => PixelProduct<Lanes512<float>>.Width(channels),
        256 => PixelProduct<Lanes256<float>>.Width(channels),
        128 => PixelProduct<Lanes128<float>>.Width(channels),
        _ => PixelProduct<Lanes1<float>>.Width(channels),
    };

    public static int Scratch(int channels) => LaneWidth.Bits switch
    {
        512 => PixelProduct<Lanes512<float>>.Scratch(channels),
        256 => PixelProduct<Lanes256<float>>.Scratch(channels),
        128 => PixelProduct<Lanes128<float>>.Scratch(channels),
        _ => PixelProduct<Lanes1<float>>.Scratch(channels),
    };

    public static void Run(float* matrix, float* shift, float* x, float* y, int channels, int pixels, float* scratch)
    {
        switch (LaneWidth.Bits)
        {
            case 512: PixelProduct<Lanes512<float>>.Run(matrix, shift, x, y, channels, pixels, scratch); break;
            case 256: PixelProduct<Lanes256<float>>.Run(matrix, shift, x, y, channels, pixels, scratch); break;
            case 128: PixelProduct<Lanes128<float>>.Run(matrix, shift, x, y, channels, pixels, scratch); break;
            default: PixelProduct<Lanes1<float>>.Run(matrix, shift, x, y, channels, pixels, scratch); break;
        }
    }

    public static void AddGradient(float* x, float* g, int channels, int pixels, float* sums, float* scratch)
    {
        switch (LaneWidth.Bits)
        {
            case 512: PixelProduct<Lanes512<float>>.AddGradient(x, g, channels, pixels, sums, scratch); break;
            case 256: PixelProduct<Lanes256<float>>.AddGradient(x, g, channels, pixels, sums, scratch); break;
            case 128: PixelProduct<Lanes128<float>>.AddGradient(x, g, channels, pixels, sums, scratch); break;
            default: PixelProduct<Lanes1<float>>.AddGradient(x, g, channels, pixels, sums, scratch); break;
        }
    }
}
