namespace RealNvp;

public abstract partial record RealNvpOptions
{
    /// <summary>2-D toy densities: 8 affine couplings with an MLP of 64 hidden features.</summary>
    public static RealNvpVectorOptions Toy2D { get; } = new() { Shape = [2], Layers = 8, Hidden = 64, Blocks = 1 };

    /// <summary>
    /// Tables of continuous features: standardization, 10 affine couplings with residual MLPs that see
    /// no more than ±5 standard deviations, Student's t latents, so that a row with one value far out
    /// costs what it would in a heavy-tailed density. Chosen on four data sets: docs/presets.md.
    /// </summary>
    /// <param name="features">D, at least 2.</param>
    /// <param name="rows">How many rows there are to train on, if that is known:
    /// 64 hidden features below 2,000, else 128; null is as for 20,000.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than 1 row.</exception>
    public static RealNvpVectorOptions Tabular(long features, long? rows = null) =>
        ForTables(new RealNvpVectorOptions { Shape = Vector(features), Layers = 10, Hidden = RowsOf(rows) < 2_000 ? 64
            : 128, Blocks = 2, Standardize = true });

    /// <summary>8×8 grey digits with 17 grey levels, as in the UCI set: 2 scales, 2 blocks, 24 channels.</summary>
    public static RealNvpImageOptions Digits8x8 { get; } = Image([1, 8, 8], scales: 2, blocks: 2, hidden: 24) with { Levels = 17 };

    /// <summary>28×28 grey images of bytes, such as MNIST: 3 scales, 2 blocks, 32 channels.</summary>
    public static RealNvpImageOptions Grey28x28 { get; } = Image([1, 28, 28], scales: 3, blocks: 2, hidden: 32);

    /// <summary>CIFAR-10 as in the paper (arXiv 1605.08803, section 4.1): 2
    /// scales, 8 residual blocks, 64 channels, flipped images.</summary>
    public static RealNvpImageOptions Cifar10 { get; } = Image([3, 32, 32], scales: 2, blocks: 8,
        hidden: 64) with { HorizontalFlips = true };

    /// <summary>32×32 colour images as in the paper (section 4.1): 4 residual blocks, 32 channels; the last scale is 4×4.</summary>
    public static RealNvpImageOptions Image32x32 { get; } = Image([3, 32, 32], scales: 4, blocks: 4,
        hidden: 32) with { HorizontalFlips = true };

    /// <summary>64×64 colour images as in the paper (section 4.1): 2 residual blocks, 32 channels; the last scale is 4×4.</summary>
    public static RealNvpImageOptions Image64x64 { get; } = Image([3, 64, 64], scales: 5, blocks: 2,
        hidden: 32) with { HorizontalFlips = true };

    /// <summary>The paper's architecture for images of bytes in any size: multi-scale, batch normalization, logit with α = 0.05.</summary>
    /// <param name="shape">[C, H, W]; H and W divisible by 2 to the power of scales - 1.</param>
    /// <param name="scales">The number of scales.</param>
    /// <param name="blocks">The residual blocks of each network.</param>
    /// <param name="hidden">The channels of the networks at the first scale.</param>
    public static RealNvpImageOptions Image(EventShape shape, int scales = 2, int blocks = 2, long hidden = 32) => new()
    {
        Shape = shape,
        Levels = 256,
        LogitAlpha = 0.05,
        Scales = scales,
        Blocks = blocks,
        Hidden = hidden,
        FlowBatchNorm = true,
    };
}
