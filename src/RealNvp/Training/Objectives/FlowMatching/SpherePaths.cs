using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Paths of unit vectors: great circles, followed at one speed, the shorter way (arXiv 2302.03660).</summary>
/// <param name="sigma">The spread about a path, in radians: the whole path is turned by a small random rotation.</param>
internal sealed class SpherePaths(double sigma) : MatchedPaths
{
    // as D×D numbers for each example: A with A = −Aᵀ moves x by Ax, whose covariance is (I − xxᵀ) for unit vectors
    public override Tensor? NoiseFor(Tensor x1, Generator? generator)
    {
        if (sigma == 0) return null;
        var size = x1.numel() / Math.Max(1, x1.shape[0]);
        var upper = Noise.Normal([x1.shape[0], size, size], x1.dtype, x1.device, generator).triu(1);
        return upper.sub(upper.transpose(1, 2));
    }

    public override (Tensor Point, Tensor Velocity) At(Tensor x0, Tensor x1, Tensor t, Tensor? noise)
    {
        var (from, to, time) = (Unit(x0.flatten(1)), Unit(x1.flatten(1)), t.unsqueeze(1));
        // to = cos θ·from + sin θ·ahead, with digits at small and at large angles
        var cosine = Dot(from, to);
        var rest = to.sub(from.mul(cosine));
        var sine = UnitLength.Of(rest);
        var ahead = Unit(Perpendicular(rest.where(sine.gt(Scalars.Of(16 * finfo(rest.dtype).eps)), Any(from)), from));
        var angle = sine.atan2(cosine);
        var (cos, sin) = (angle.mul(time).cos(), angle.mul(time).sin());
        var point = from.mul(cos).addcmul(ahead, sin, Scalars.One);
        var velocity = ahead.mul(cos).sub(from.mul(sin)).mul(angle);
        if (noise is not null)
        {
            var turn = linalg.matrix_exp(noise.mul(Scalars.Of(sigma)));
            (point, velocity) = (Turned(turn, point), Turned(turn, velocity));
        }
        return (point.reshape(x1.shape), velocity.reshape(x1.shape));
    }

    public override Tensor Costs(Tensor x0, Tensor x1)
    {
        var cosine = Unit(x0.flatten(1).to(float64)).mm(Unit(x1.flatten(1).to(float64)).t());
        return cosine.clamp(Scalars.MinusOne, Scalars.One).acos().pow(Scalars.Two);
    }

    private static Tensor Unit(Tensor rows) => rows.div(UnitLength.Of(rows));

    private static Tensor Dot(Tensor a, Tensor b) => a.mul(b).sum([1L], keepdim: true);

    private static Tensor Turned(Tensor turn, Tensor rows) => turn.bmm(rows.unsqueeze(2)).squeeze(2);

    // a second time for the digits that the first one loses where the two are nearly parallel
    private static Tensor Perpendicular(Tensor rows, Tensor to)
    {
        rows = Unit(rows.sub(to.mul(Dot(rows, to))));
        return rows.sub(to.mul(Dot(rows, to)));
    }

    // between opposite points all ways are as short: towards the axis that is furthest from the first
    private static Tensor Any(Tensor from) =>
        zeros_like(from).scatter(1, from.abs().argmin(1, keepdim: true), ones_like(from));
}
