using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Onnx;

/// <summary>How near a graph must come to the library.</summary>
internal static class OnnxGaps
{
    private const double Tolerance = 1e-5;

    /// <summary>|Δ| ≤ 1e-5·(1 + |value|) for each number, or at most twice as far from the library's float64 as its float32 is.</summary>
    /// <returns>What is wrong; null if nothing is.</returns>
    public static string? Of(string what, Tensor graph, Tensor library, Tensor precise)
    {
        using var scope = NewDisposeScope();
        var (g, l, p) = (graph.to(float64).flatten(), library.to(float64).flatten(), precise.to(float64).flatten());
        if (g.shape[0] != l.shape[0]) return $"{what}: {g.shape[0]} numbers, expected {l.shape[0]}";
        if (g.shape[0] == 0) return null;
        // infinities must be the same ones
        var same = g.eq(l);
        var gap = g.sub(l).abs().masked_fill(same, 0);
        var near = gap.le(l.abs().mul(Tolerance).add(Tolerance)).logical_or(same);
        if (near.all().item<bool>()) return null;
        double Most(Tensor a, Tensor b) => a.sub(b).abs().masked_fill(a.eq(b), 0).max().item<double>();
        var (own, ours) = (Most(l, p), Most(g, p));
        return ours <= 2 * own ? null : string.Create(CultureInfo.InvariantCulture,
            $"{what}: off by {gap.max().item<double>():G3} at values up to {l.abs().max().item<double>():G3}; from float64 by " +
                $"{ours:G3}, the " +
            $"library's float32 by {own:G3}");
    }
}
