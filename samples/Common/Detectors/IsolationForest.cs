using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Common;

/// <summary>Isolation forest (Liu, Ting and Zhou, "Isolation Forest", ICDM
/// 2008): a common detector of anomalies, to compare a density with.</summary>
/// <remarks>
/// Each tree parts a few rows at random thresholds of random features until they stand alone. A row that stands alone after few
/// thresholds is unusual. The score of a row is 2^(−E[h] / c(ψ)), equation 2, with the mean path length E[h] over the trees and ψ
/// rows a tree. It is in (0, 1): near 1 for anomalies, below 0.5 for usual rows. Safe for several threads.
/// </remarks>
public sealed class IsolationForest : IDetector
{
    private const double Euler = 0.57721566490153286;

    private readonly Node[][] trees;
    private readonly int features;
    private readonly double expected;

    // a leaf has Feature −1, and in Threshold the path length that is left below it
    private readonly record struct Node(int Feature, double Threshold, int Left, int Right);

    /// <summary>Grows the trees.</summary>
    /// <param name="rows">float64 (N, D) on the CPU, all finite, N and D at least 1. It is only read.</param>
    /// <param name="seed">The same seed and rows give the same trees.</param>
    /// <param name="treeCount">The number of trees; the paper has 100.</param>
    /// <param name="rowsOfTree">ψ: the rows that a tree sees, drawn without
    /// replacement; the paper has 256. Fewer where there are fewer.</param>
    public IsolationForest(Tensor rows, int seed = 0, int treeCount = 100, int rowsOfTree = 256)
    {
        var values = DetectorRows.Values(rows);
        ArgumentOutOfRangeException.ThrowIfLessThan(treeCount, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(rowsOfTree, 1);
        features = (int)rows.shape[1];
        var count = (int)rows.shape[0];
        var size = Math.Min(rowsOfTree, count);
        expected = PathLength(size);
        var random = new Random(seed);
        var all = Enumerable.Range(0, count).ToArray();
        var limit = (int)Math.Ceiling(Math.Log2(Math.Max(size, 2)));
        trees = new Node[treeCount][];
        for (var t = 0; t < treeCount; t++)
        {
            // the first places of a shuffle are a draw without replacement
            for (var i = 0; i < size; i++)
            {
                var j = random.Next(i, count);
                (all[i], all[j]) = (all[j], all[i]);
            }
            List<Node> nodes = [];
            Grow(values, all.AsSpan(0, size).ToArray(), limit, random, nodes);
            trees[t] = [.. nodes];
        }
    }

    /// <inheritdoc/>
    public double[] Scores(Tensor rows)
    {
        var values = DetectorRows.Values(rows, features);
        var scores = new double[rows.shape[0]];
        for (var row = 0; row < scores.Length; row++)
        {
            var length = 0.0;
            foreach (var tree in trees)
            {
                var (node, depth) = (tree[0], 0);
                for (; node.Feature >= 0; depth++)
                    node = tree[values[((long)row * features) + node.Feature] < node.Threshold ? node.Left : node.Right];
                length += depth + node.Threshold;
            }
            // a forest of one row a tree has no path, and no opinion
            scores[row] = expected > 0 ? Math.Pow(2, -length / trees.Length / expected) : 0.5;
        }
        return scores;
    }

    /// <summary>c(n), equation 1: the mean path length of an unsuccessful search in a binary tree of n rows.</summary>
    /// <param name="n">The number of rows.</param>
    public static double PathLength(int n) => n switch
    {
        <= 1 => 0,
        2 => 1,
        _ => (2 * (Math.Log(n - 1) + Euler)) - (2.0 * (n - 1) / n),
    };

    private int Grow(double[] values, int[] rows, int levels, Random random, List<Node> nodes)
    {
        var place = nodes.Count;
        nodes.Add(new Node(-1, PathLength(rows.Length), 0, 0));
        if (levels == 0 || rows.Length < 2) return place;
        List<(int Feature, double Least, double Most)> open = [];
        for (var f = 0; f < features; f++)
        {
            var (least, most) = (double.PositiveInfinity, double.NegativeInfinity);
            foreach (var row in rows)
            {
                var value = values[((long)row * features) + f];
                (least, most) = (Math.Min(least, value), Math.Max(most, value));
            }
            if (least < most) open.Add((f, least, most));
        }
        if (open.Count == 0) return place;
        var (feature, low, high) = open[random.Next(open.Count)];
        // above the least value, so that both sides have rows
        var threshold = high - (random.NextDouble() * (high - low));
        if (!(threshold > low)) threshold = high;
        var left = Grow(values, Array.FindAll(rows, r => values[((long)r * features) + feature] < threshold), levels - 1, random, nodes);
        var right = Grow(values, Array.FindAll(rows, r => !(values[((long)r * features) + feature] < threshold)), levels - 1, random,
            nodes);
        nodes[place] = new Node(feature, threshold, left, right);
        return place;
    }
}
