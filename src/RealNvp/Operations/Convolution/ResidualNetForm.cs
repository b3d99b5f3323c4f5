namespace RealNvp.Operations;

/// <summary>Which tensors the network of <see cref="ResidualNet"/> has, and in which order: x; direction, length and bias of the first
/// convolution and of the first 1×1 one; for each block both convolutions, each behind weight and bias of its normalization if there is
/// one, and the 1×1 one; the last normalization and the last convolution.</summary>
/// <param name="Blocks">The residual blocks.</param>
/// <param name="HasNorms">Whether there are normalizations; without them the first convolution of a block has a bias.</param>
internal readonly record struct ResidualNetForm(int Blocks, bool HasNorms)
{
    private const int Conv = 3, Norm = 2;

    /// <summary>Tensors of a block.</summary>
    private int Block => HasNorms ? (3 * Conv) - 1 + (2 * Norm) : 3 * Conv;

    /// <summary>The number of tensors.</summary>
    public int Count => LastAt + Conv;

    /// <summary>The normalizations: two in each block, and the last one.</summary>
    public int Norms => HasNorms ? (2 * Blocks) + 1 : 0;

    /// <summary>Where the direction of a convolution stands.</summary>
    public static int FirstAt => 1;
    public int SkipAt(int i) => i == 0 ? FirstAt + Conv : InnerAt(i) - (HasNorms ? Norm : 0) - Conv;
    public int InnerAt(int block) => FirstAt + (2 * Conv) + (block * Block) + (HasNorms ? Norm : 0);
    public int OuterAt(int block) => InnerAt(block) + (HasNorms ? Conv - 1 + Norm : Conv);
    public int LastAt => FirstAt + (2 * Conv) + (Blocks * Block) + (HasNorms ? Norm : 0);
}
