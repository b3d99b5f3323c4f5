namespace RealNvp;

/// <summary>Where the weights of all steps of a chain are, and where their gradients go; null if one is not wanted.</summary>
internal sealed unsafe class ChainWeights(int count)
{
    public readonly float*[] From = new float*[count], To = new float*[count];
    public readonly int[] Lengths = new int[count];

    /// <summary>The place of a weight of one step, which has so many: those of its neighbours lie beside them.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It has none there.</exception>
    public static int Check(int index, int count) => (uint)index < (uint)count ? index
        : throw new ArgumentOutOfRangeException(nameof(index), index, $"The step has {count} weight(s) in {nameof(ChainStep)}.Weights.");
}
