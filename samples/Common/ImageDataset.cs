using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Common;

/// <summary>Images in memory, with their labels where they have some.</summary>
/// <remarks>It owns its tensors: dispose it once.</remarks>
/// <param name="Name">What a title or a log calls it.</param>
/// <param name="Images">uint8 (N, C, H, W), values 0 to <paramref name="Levels"/> - 1.</param>
/// <param name="Labels">int64 (N), or null.</param>
/// <param name="Levels">The number of values that a pixel can have, such as 256, or 17 for the 8 x 8 digits.</param>
public sealed record ImageDataset(string Name, Tensor Images, Tensor? Labels, int Levels) : IDisposable
{
    /// <summary>The number of images.</summary>
    public int Count => (int)Images.size(0);

    /// <summary>Copies some of the images, in the order of <paramref name="indices"/>,
    /// into a new data set that the caller disposes.</summary>
    /// <param name="indices">At least one; each from 0 to <see cref="Count"/> - 1.</param>
    /// <exception cref="ArgumentException">There is no index, or one is out of range.</exception>
    public ImageDataset Select(IReadOnlyList<long> indices)
    {
        ArgumentNullException.ThrowIfNull(indices);
        if (indices.Count == 0 || indices.Any(i => i < 0 || i >= Count))
            throw new ArgumentException($"Got {indices.Count} indices; expected at least one, each from 0 to {Count - 1}.",
                nameof(indices));
        using var scope = NewDisposeScope();
        var index = tensor(indices.ToArray());
        return this with { Images = Images.index_select(0, index).MoveToOuterDisposeScope(),
            Labels = Labels?.index_select(0, index).MoveToOuterDisposeScope() };
    }

    /// <summary>Disposes the images and the labels.</summary>
    public void Dispose()
    {
        Images.Dispose();
        Labels?.Dispose();
    }
}
