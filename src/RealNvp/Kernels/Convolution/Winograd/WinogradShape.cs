namespace RealNvp.Kernels;

/// <summary>The sizes of a 3×3 convolution (N, C, H, W) → (N, K, H, W), cut into
/// tiles of 2×2 outputs, and the layout of what it computes with.</summary>
internal readonly record struct WinogradShape(int N, int C, int K, int H, int W)
{
    // tiles that are transformed and multiplied together, so that they stay in the second-level cache; the
    // largest number is a multiple of the rows of a product's tile
    private const int LargestBlock = 72, SmallestBlock = 16;

    /// <summary>Positions in a transformed tile: 4×4.</summary>
    public const int Positions = 16;

    public int Across => (W + 1) / 2;

    public int Down => (H + 1) / 2;

    public int Tiles => N * Down * Across;

    /// <summary>Tiles that are transformed and multiplied together. Few tiles are in four blocks all the same, for several
    /// threads.</summary>
    public int Block => Math.Clamp(((Tiles / 4) + 7) / 8 * 8, SmallestBlock, LargestBlock);

    public int Blocks => (Tiles + Block - 1) / Block;

    /// <summary>Parts of the tiles whose gradients of weights are summed apart: the same for any number of threads, so that the gradients
    /// are too. Many shares cost time: to add them up is to read 16 transformed numbers of each for every weight.</summary>
    public int Shares => Tiles switch { >= 2048 => 8, >= 256 => 4, >= 2 * SmallestBlock => 2, _ => 1 };

    /// <summary>Multiply-adds between transformed images and transformed weights.</summary>
    public double Work => (double)Positions * Tiles * C * K;

    /// <summary>The same convolution from its outputs to its inputs.</summary>
    public WinogradShape Reversed => this with { C = K, K = C };

    /// <summary>The distance between rows of a block of transformed tiles.</summary>
    public static int Stride(int channels) => (channels + 15) / 16 * 16;

    /// <summary>The distance between positions in such a block: not a multiple of
    /// 4096 bytes, at which they would push each other out of the cache.</summary>
    public static nint Plane(int stride) => ((nint)LargestBlock * stride) + 16;

    /// <summary>Channels filled up to whole vectors.</summary>
    public static int Whole(int channels, int lanes) => (channels + lanes - 1) / lanes * lanes;
}
