using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>
/// A network of linear layers with an elementwise function between them, and its derivatives along directions,
/// which go through the same products (forward mode). All operations have gradients of their own.
/// </summary>
/// <param name="layers">The layers.</param>
/// <param name="value">The function.</param>
/// <param name="withSlope">The function and its derivative.</param>
/// <param name="circles">What the first layer sees; null for the input itself.</param>
internal sealed class DenseTangents(IReadOnlyList<TangentLayer> layers, Func<Tensor, Tensor> value,
    Func<Tensor, (Tensor Value, Tensor Slope)> withSlope, CircleEmbedding? circles = null)
{
    // numbers of a block of tangents: bounds the memory for many directions
    private const long BlockElements = 1L << 22;

    /// <summary>Whether the divergence needs no tangents: with one hidden layer
    /// always; with two if all rows have one scale of the outputs.</summary>
    public static bool HasShortcut(int layers, bool lastIsUniform) => layers == 2 || (layers == 3 && lastIsUniform);

    /// <summary>The output for x (N, I), in the caller's scope.</summary>
    public Tensor Velocity(Tensor x)
    {
        if (circles is { } seen) x = seen.Of(x);
        for (var i = 0; i < layers.Count - 1; i++) x = value(layers[i].Apply(x));
        return layers[^1].Apply(x);
    }

    /// <summary>The output (N, D) for x (N, D), and the sum of the diagonal of its Jacobian, (N). In the caller's scope.</summary>
    public (Tensor Velocity, Tensor Divergence) Divergence(Tensor x)
    {
        var (velocity, slopes) = Slopes(x);
        if (layers.Count == 1) return (velocity, Diagonal(layers[0].Weight.diagonal().unsqueeze(0).expand(x.size(0), -1)));
        if (circles is null && layers.Count == 2)
            return (velocity, Diagonal(nn.functional.linear(slopes[0], layers[0].Weight.t().mul(layers[1].Weight))));
        if (circles is null && HasShortcut(layers.Count, layers[^1].IsUniform)) return (velocity, Bilinear(slopes));
        Tensor? sum = null;
        var size = x.size(1);
        var block = BlockOf(x.size(0), size);
        for (long start = 0; start < size; start += block)
        {
            using var inside = NewDisposeScope();
            var count = Math.Min(block, size - start);
            // (K, N, O): the first product with unit vectors is a column of the weight
            var tangents = (circles?.Columns(layers[0].Weight, x, start, count)
                ?? layers[0].Weight.narrow(1, start, count).t().unsqueeze(1))
                .mul(slopes[0].unsqueeze(0));
            for (var i = 1; i < layers.Count - 1; i++)
                tangents = nn.functional.linear(tangents, layers[i].Weight).mul(slopes[i].unsqueeze(0));
            // of the last product only the diagonal
            var diagonal = tangents.bmm(layers[^1].Weight.narrow(0, start, count).unsqueeze(2)).squeeze(2).t();
            if (layers[^1].Scale is { } scale) diagonal = diagonal.mul(scale.narrow(1, start, count));
            var part = diagonal.sum([1L]);
            sum = inside.MoveToOuter(sum is null ? part : sum.add(part, Scalars.One));
        }
        return (velocity, sum!);
    }

    /// <summary>The output (N, O) for x (N, I), and Jv (K, N, O) for vectors (K, N, I). In the caller's scope.</summary>
    public (Tensor Velocity, Tensor Products) Products(Tensor x, Tensor vectors)
    {
        var (velocity, slopes) = Slopes(x);
        for (var i = 0; i < layers.Count; i++)
        {
            vectors = i == 0 && circles is { } seen ? seen.Products(layers[0].Weight, x, vectors)
                : nn.functional.linear(vectors, layers[i].Weight);
            var factor = i < layers.Count - 1 ? slopes[i] : layers[i].Scale;
            if (factor is not null) vectors = vectors.mul(factor.unsqueeze(0));
        }
        return (velocity, vectors);
    }

    // the output, and of each hidden layer the derivative of its function times its scale, (N, O)
    private (Tensor Velocity, List<Tensor> Slopes) Slopes(Tensor x)
    {
        var slopes = new List<Tensor>(layers.Count - 1);
        if (circles is { } seen) x = seen.Of(x);
        for (var i = 0; i < layers.Count - 1; i++)
        {
            (x, var slope) = withSlope(layers[i].Apply(x));
            slopes.Add(layers[i].Scale is { } scale ? slope.mul(scale) : slope);
        }
        return (layers[^1].Apply(x), slopes);
    }

    // Σₖ scaleₖ · termₙₖ
    private Tensor Diagonal(Tensor terms) => layers[^1].Scale is { } scale ? terms.mul(scale).sum([1L]) : terms.sum([1L]);

    // tr(W₃ diag(s₂) W₂ diag(s₁) W₁) = s₂ᵀ (W₂ ∘ (W₁W₃)ᵀ) s₁: a product of the size of a layer, whatever the number of directions
    private Tensor Bilinear(List<Tensor> slopes)
    {
        var last = layers[2].Scale is { } scale ? layers[2].Weight.mul(scale.t()) : layers[2].Weight;
        var joined = layers[1].Weight.mul(last.t().mm(layers[0].Weight.t()));
        return nn.functional.linear(slopes[0], joined).mul(slopes[1]).sum([1L]);
    }

    private long BlockOf(long rows, long size)
    {
        var widest = layers.Max(l => l.Weight.size(0));
        return Math.Clamp(BlockElements / Math.Max(1, rows * widest), 1, size);
    }
}
