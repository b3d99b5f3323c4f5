using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Paths of elements of the line and on circles.</summary>
/// <param name="path">The form.</param>
/// <param name="sigma">The spread.</param>
/// <param name="circles">The elements that are on circles.</param>
internal sealed class FlatPaths(FlowMatchingPath path, double sigma, IReadOnlyList<Circle> circles) : MatchedPaths
{
    // all paths on circles have noise
    private bool IsNoisy => sigma > 0 && (path != FlowMatchingPath.Shrinking || circles.Count > 0);

    public override Tensor? NoiseFor(Tensor x1, Generator? generator) =>
        IsNoisy ? Noise.Normal(x1.shape, x1.dtype, x1.device, generator) : null;

    public override (Tensor Point, Tensor Velocity) At(Tensor x0, Tensor x1, Tensor t, Tensor? noise)
    {
        var time = t.reshape([t.shape[0], .. Enumerable.Repeat(1L, (int)x1.dim() - 1)]);
        var (point, velocity) = OnLine(x0, x1, time);
        // a shrinking path has its spread from the latent
        if (noise is not null && path != FlowMatchingPath.Shrinking) point = point.add(noise, Scalars.Of(sigma));
        if (circles.Count == 0) return (point, velocity);
        var turns = Turns.Of(circles, x1);
        // σ keeps its meaning: the example is there with that spread, wherever the way began
        var way = turns.Shortest(x1.sub(x0));
        var along = x0.addcmul(way, time, Scalars.One);
        if (noise is not null) along = along.add(noise, Scalars.Of(sigma));
        return (turns.Wrapped(along).where(turns.Mask, point), way.where(turns.Mask, velocity));
    }

    public override Tensor Costs(Tensor x0, Tensor x1)
    {
        var (a, b) = (x0.flatten(1).to(float64), x1.flatten(1).to(float64));
        if (circles.Count == 0) return Distances(a, b);
        var turns = Turns.Of(circles, x1);
        var line = turns.Mask.flatten().logical_not().to(float64);
        var total = Distances(a.mul(line), b.mul(line));
        foreach (var circle in circles)
        {
            using var inside = NewDisposeScope();
            var way = b.select(1, circle.Feature).unsqueeze(0).sub(a.select(1, circle.Feature).unsqueeze(1));
            var period = Scalars.Of(circle.Period);
            way = way.sub(way.div(period).round().mul(period));
            total = inside.MoveToOuter(total.addcmul(way, way, Scalars.One));
        }
        return total;
    }

    private static Tensor Distances(Tensor a, Tensor b) =>
        a.pow(Scalars.Two).sum([1L], keepdim: true).add(b.pow(Scalars.Two).sum([1L]).unsqueeze(0), Scalars.One)
        .sub(a.mm(b.t()).mul(Scalars.Two)).clamp_min(Scalars.Zero);

    private (Tensor Point, Tensor Velocity) OnLine(Tensor x0, Tensor x1, Tensor time)
    {
        switch (path)
        {
            case FlowMatchingPath.Straight:
                var way = x1.sub(x0);
                return (x0.addcmul(way, time, Scalars.One), way);
            case FlowMatchingPath.Shrinking:
                var kept = Scalars.Of(1 - sigma);
                var velocity = x1.sub(x0.mul(kept));
                return (x0.addcmul(velocity, time, Scalars.One), velocity);
            default:
                var half = Scalars.Of(Math.PI / 2);
                var angle = time.mul(half);
                var (cos, sin) = (angle.cos(), angle.sin());
                return (x0.mul(cos).addcmul(x1, sin, Scalars.One), x1.mul(cos).sub(x0.mul(sin)).mul(half));
        }
    }

    /// <summary>Circles as tensors of the shape of an example.</summary>
    private sealed record Turns(Tensor Mask, Tensor Low, Tensor Period)
    {
        public static Turns Of(IReadOnlyList<Circle> circles, Tensor x)
        {
            var size = (int)(x.numel() / Math.Max(1, x.shape[0]));
            var (mask, low, period) = (new bool[size], new double[size], new double[size]);
            Array.Fill(period, 1);
            foreach (var circle in circles)
                if (circle.Feature < size)
                    (mask[circle.Feature], low[circle.Feature], period[circle.Feature]) = (true, circle.Low, circle.Period);
            var shape = x.shape[1..];
            Tensor Numbers(double[] values) => tensor(values, shape, dtype: x.dtype, device: x.device);
            return new Turns(tensor(mask, shape, device: x.device), Numbers(low), Numbers(period));
        }

        public Tensor Shortest(Tensor way) => way.sub(way.div(Period).round().mul(Period));

        public Tensor Wrapped(Tensor x) => x.sub(Low).remainder(Period).add(Low, Scalars.One);
    }
}
