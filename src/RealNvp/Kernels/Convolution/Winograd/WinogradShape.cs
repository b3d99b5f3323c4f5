namespace RealNvp.Kernels;

/// <summary>The sizes of a 3×3 convolution (N, C, H, W) → (N, K, H, W), cut into
/// tiles of 2×2 outputs, and the layout of what it computes with.</summary>
internal readonly record struct WinogradShape(int N, int C, int K, int H, int W)
{
    /// <summary>Tiles that are transformed and multiplied together, so that they stay in the
    /// second-level cache. A multiple of the rows of a <see cref="DenseTile"/>.</summary>
    public const int Block = 72;

    /// <summary>Positions in a transformed tile: 4×4.</summary>
    public const int Positions = 16;

    // a part of the tiles has a sum of its own for the gradients of weights; few tiles are not worth many sums
    private const int LargestShares = 8, SmallestShare = 128;

    public int Across => (W + 1) / 2;

    public int Down => (H + 1) / 2;

    public int Tiles => N * Down * Across;

    public int Blocks => (Tiles + Block - 1) / Block;

    /// <summary>Parts of the tiles for the gradients of weights: the same
    /// for any number of threads, so that the gradients are too.</summary>
    public int Shares => Math.Clamp(Tiles / SmallestShare, 1, LargestShares);

    /// <summary>Multiply-adds between transformed images and transformed weights.</summary>
    public double Work => (double)Positions * Tiles * C * K;

    /// <summary>The same convolution from its outputs to its inputs.</summary>
    public WinogradShape Reversed => this with { C = K, K = C };

    /// <summary>The distance between rows of a block of transformed tiles.</summary>
    public static int Stride(int channels) => (channels + 15) / 16 * 16;

    /// <summary>The distance between positions in such a block: not a multiple of
    /// 4096 bytes, at which they would push each other out of the cache.</summary>
    public static nint Plane(int stride) => ((nint)Block * stride) + 16;

    /// <summary>Channels filled up to whole vectors.</summary>
    public static int Whole(int channels, int lanes) => (channels + lanes - 1) / lanes * lanes;

    /// <summary>The width of the panel of weights that begins at a column.</summary>
    public static int PanelWidth(int column, int columns, int lanes) => DensePanels.Of<float>(lanes).Width(column, columns);

    /// <summary>The columns of a panel, but for the last one.</summary>
    public static int FullPanel(int lanes) => DensePanels.Of<float>(lanes).Full;
}
