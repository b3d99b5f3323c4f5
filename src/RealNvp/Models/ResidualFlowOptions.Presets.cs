namespace RealNvp;

public abstract partial record ResidualFlowOptions
{
    /// <summary>2-D toy densities: 40 blocks of 2 hidden layers of 16 with <see cref="ActivationKind.CLipSwish"/> and weights of a norm
    /// of at most 0.99, and an exact log-determinant.</summary>
    /// <remarks>Each block moves a point by little, so many narrow blocks learn fine shapes where
    /// few wide ones do not. Batches of 512 and a learning rate of 0.01 suit it.</remarks>
    public static ResidualFlowVectorOptions Toy2D { get; } = new()
    {
        Shape = [2], Layers = 40, Hidden = 16, HiddenLayers = 2, Coefficient = 0.99, Activation = ActivationKind.CLipSwish,
    };

    /// <summary>
    /// Tables of continuous features: standardization, 8 blocks with networks that see no more than ±5 standard deviations, Student's t
    /// latents. The likelihood is exact up to 16 features.
    /// </summary>
    /// <param name="features">D, at least 1.</param>
    /// <param name="rows">How many rows there are to train on, if that is known:
    /// 64 hidden features below 2,000, else 128; null is as for 20,000.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than 1 row.</exception>
    public static ResidualFlowVectorOptions Tabular(long features, long? rows = null) => ForTables(new ResidualFlowVectorOptions
    {
        Shape = Vector(features),
        Standardize = true,
        Layers = 8,
        Hidden = RowsOf(rows) < 2_000 ? 64 : 128,
        HiddenLayers = 2,
    });

    /// <summary>8×8 grey digits with 17 grey levels, as in the UCI set: 2 scales of 4 blocks, 32 channels.</summary>
    public static ResidualFlowImageOptions Digits8x8 { get; } = new() { Shape = [1, 8, 8], Levels = 17, Scales = 2, Layers = 4,
        Hidden = 32 };

    /// <summary>28×28 grey images of bytes, such as MNIST: 3 scales of 4 blocks, 64
    /// channels. The paper has 16 blocks a scale and 512 channels.</summary>
    public static ResidualFlowImageOptions Grey28x28 { get; } = new() { Shape = [1, 28, 28], Levels = 256, Layers = 4, Hidden = 64 };

    /// <summary>
    /// CIFAR-10 as in the paper (arXiv 1906.02735, appendix E.2): 16-16-16 blocks of 512 channels with ActNorm, a logit
    /// with α = 0.05, nothing factored out, and 4 fully connected blocks of 128 features at the end.
    /// </summary>
    public static ResidualFlowImageOptions Cifar10 { get; } =
        new() { Shape = [3, 32, 32], Levels = 256, Hidden = 512, HorizontalFlips = true, DenseLayers = 4 };
}
