namespace RealNvp.Kernels;

/// <summary>The sizes of Real NVP's network of images: 3×3 from I to C channels, residual blocks of two 3×3 convolutions of C channels, and
/// 1×1 from C to O, on images of H×W.</summary>
internal readonly record struct ResidualNetShape(int N, int I, int C, int O, int H, int W, int Blocks)
{
    public int Pixels => N * H * W;

    /// <summary>The numbers of an image of C channels, of all examples.</summary>
    public nint Image => (nint)Pixels * C;

    /// <summary>The images of <see cref="ResidualNetImages"/>: what goes through each block, what is between its convolutions, the
    /// sum.</summary>
    public int Images => (2 * Blocks) + 2;

    /// <summary>The first convolution.</summary>
    public ConvNetShape First => new(N, I, C, O, H, W);

    /// <summary>A convolution of a block.</summary>
    public WinogradShape Block => new(N, C, C, H, W);

    /// <summary>The numbers of the largest weight, or of its gradient.</summary>
    public nint LargestWeight => (nint)C * Math.Max(Math.Max(9 * C, First.Stride), O);
}
