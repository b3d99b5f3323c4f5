namespace RealNvp;

/// <summary>The network that gives the velocity of a <see cref="FfjordModel"/>.</summary>
public enum FfjordNetwork
{
    /// <summary>Layers that time scales and shifts, as in FFJORD: <see cref="ConcatSquashMlp"/>
    /// for vectors, <see cref="ConcatSquashConvNet"/> for images.</summary>
    ConcatSquash,

    /// <summary>A plain network that sees time as an input: <see cref="TimeMlp"/>, also of images,
    /// flattened. With two hidden layers its exact divergence costs one more product.</summary>
    Plain,
}
