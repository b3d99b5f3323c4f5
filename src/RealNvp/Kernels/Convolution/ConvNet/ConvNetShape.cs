namespace RealNvp.Kernels;

/// <summary>The sizes of Glow's network: 3×3 from I to M channels, relu,
/// 1×1 from M to M, relu, 3×3 from M to O, on images of H×W.</summary>
internal readonly record struct ConvNetShape(int N, int I, int M, int O, int H, int W)
{
    /// <summary>Pixels that go through the first two convolutions together. A multiple of the rows of a <see cref="DenseTile"/>.</summary>
    public const int Block = 48;

    /// <summary>Pixels that go through their gradients together: many steps of the products that give the gradients of weights, whose
    /// sums are read and written once for each block.</summary>
    public const int GradientBlock = 144;

    public int Pixels => N * H * W;

    public int Blocks => (Pixels + Block - 1) / Block;

    /// <summary>The numbers under a pixel that the first convolution reads.</summary>
    public int Taps => 9 * I;

    /// <summary>The distance between rows of taps: whole vectors may be read from
    /// any channel on, and written from any row of three pixels on.</summary>
    public int Stride => (Taps + 30) / 16 * 16;

    /// <summary>The elements of all images with a border of one pixel, channels last, and what a vector may read beyond.</summary>
    public long PaddedSize => ((long)N * (H + 2) * (W + 2) * I) + 16;

    /// <summary>The numbers of what a relu gave, in whole cache lines.</summary>
    public long InnerSize => ((long)Pixels * M + 15) / 16 * 16;

    /// <summary>The numbers of a result, in whole cache lines.</summary>
    public long OutputSize => ((long)Pixels * O + 15) / 16 * 16;

    /// <summary>What gradients need beside their results: those of a relu, and of all taps if that of the images is wanted.</summary>
    public long BackwardRoom(bool ofImages) => InnerSize + (ofImages ? (long)Pixels * Stride : 0);

    public int GradientBlocks => (Pixels + GradientBlock - 1) / GradientBlock;

    /// <summary>Parts of the pixels whose gradients of weights are summed apart: the same for any number of threads.</summary>
    public int Shares => GradientBlocks switch { >= 48 => 8, >= 4 => 4, >= 2 => 2, _ => 1 };

    /// <summary>Multiply-adds of the first two convolutions.</summary>
    public double Work => (double)Pixels * M * (Taps + M);

    /// <summary>The last convolution.</summary>
    public WinogradShape Last => new(N, M, O, H, W);
}
