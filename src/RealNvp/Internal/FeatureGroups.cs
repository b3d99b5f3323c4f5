using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>The features of a vector parted into groups: takes the columns of a
/// group, and puts the columns of all groups back in their places.</summary>
internal sealed class FeatureGroups
{
    private readonly Constant[] indices;
    private readonly Constant merge;

    /// <summary>Makes the groups.</summary>
    /// <param name="groups">The features of each group; each feature of 0 to D − 1 is in one.</param>
    /// <param name="constant">Makes a constant of the module's, which moves
    /// and disposes it. Called inside the caller's dispose scope.</param>
    public FeatureGroups(IReadOnlyList<IReadOnlyList<long>> groups, Func<Tensor, Constant> constant)
    {
        var back = new long[groups.Sum(g => g.Count)];
        var next = 0;
        foreach (var feature in groups.SelectMany(g => g)) back[feature] = next++;
        indices = [.. groups.Select(g => constant(tensor(g.ToArray(), device: CPU)))];
        merge = constant(tensor(back, device: CPU));
    }

    /// <summary>The number of groups.</summary>
    public int Count => indices.Length;

    /// <summary>The number of features of a group.</summary>
    public long SizeOf(int group) => indices[group].Value.shape[0];

    /// <summary>The columns of a group.</summary>
    /// <param name="x">All columns.</param>
    /// <param name="group">The number of the group.</param>
    /// <param name="dimension">Where the columns are.</param>
    public Tensor Take(Tensor x, int group, long dimension = 1) => x.index_select(dimension, On(indices[group], x));

    /// <summary>The columns (N, D, ...) of all groups, in their places.</summary>
    /// <param name="parts">Those of each group (N, Dᵢ, ...).</param>
    public Tensor Join(IReadOnlyList<Tensor> parts) => cat([.. parts], 1).index_select(1, On(merge, parts[0]));

    /// <summary><see cref="Join"/> as a rearrangement.</summary>
    public IReadOnlyList<Tensor> Joined(IReadOnlyList<Tensor> parts) => [Join(parts)];

    // a module without weights has no device of its own
    private static Tensor On(Constant constant, Tensor like) => constant.Value.device_type == like.device_type ? constant.Value
        : constant.Value.to(like.device);
}
