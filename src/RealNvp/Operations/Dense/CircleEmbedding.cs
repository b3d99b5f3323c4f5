using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>What a network sees of examples with circles: the elements of the line as they
/// are, then the cosines and the sines of the angles; and its derivatives.</summary>
/// <param name="Plain">The indices of the elements of the line.</param>
/// <param name="Circular">The indices of those on circles.</param>
/// <param name="Low">The lower edges of the circles.</param>
/// <param name="Frequency">2π by their lengths.</param>
internal readonly record struct CircleEmbedding(Tensor Plain, Tensor Circular, Tensor Low, Tensor Frequency)
{
    /// <summary>(N, D) to (N, E), in the caller's scope.</summary>
    public Tensor Of(Tensor x)
    {
        var angle = Angle(x);
        return cat([x.index_select(1, Plain), angle.cos(), angle.sin()], 1);
    }

    /// <summary>(K, N, O): the weight (O, E) times the derivatives along the elements from start on. In the caller's scope.</summary>
    public Tensor Columns(Tensor weight, Tensor x, long start, long count)
    {
        var unit = zeros(count, x.size(1), dtype: x.dtype, device: x.device);
        unit.diagonal(start).fill_(Scalars.One);
        return Products(weight, x, unit.unsqueeze(1).expand(count, x.size(0), x.size(1)));
    }

    /// <summary>(K, N, O): the weight (O, E) times the derivatives along vectors (K, N, D). In the caller's scope.</summary>
    public Tensor Products(Tensor weight, Tensor x, Tensor vectors)
    {
        var angle = Angle(x);
        var turning = vectors.index_select(2, Circular).mul(Frequency);
        return nn.functional.linear(cat([vectors.index_select(2, Plain), turning.mul(angle.sin().neg()), turning.mul(angle.cos())], 2),
            weight);
    }

    private Tensor Angle(Tensor x) => x.index_select(1, Circular).sub(Low).mul(Frequency);
}
