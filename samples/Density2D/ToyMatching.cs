using RealNvp;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Density2D;

/// <summary>
/// Flow matching for shapes with fine details, as an objective of one's own: the velocity that is wanted at a point is the mean over
/// all examples of the batch, each by how likely its path comes through the point (stable targets, arXiv 2302.00670). One pair gives
/// the same in the mean, with noise that hides small shapes for thousands of steps.
/// </summary>
/// <remarks>
/// Paths are straight, from standard normal latents at t = 0 to data at t = 1. Times are 1 − (1 − u)² for uniform u: near t = 1
/// the edges of the data are made, and the velocity changes most there.
/// </remarks>
internal static class ToyMatching
{
    // of a batch, this part is sent along its paths, and all of it is looked at for the mean velocity
    private const int OneOf = 4;

    // a number that is made anew in each step would have to be disposed
    private static readonly Scalar one = 1, two = 2, minusHalf = -0.5, least = 1e-3;

    /// <summary>The objective.</summary>
    public static Objective Objective { get; } = Objective.From("mean velocities of a batch", Loss);

    private static Tensor Loss(Flow flow, TrainingBatch batch, long seed)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator((ulong)seed, batch.X.device);
        var layers = ((Chain)flow.Bijection).Steps.Select(s => s.Layer!).ToArray();
        var dynamics = layers.OfType<ContinuousLayer>().Single().Dynamics;
        Tensor time, point, wanted;
        using (no_grad())
        {
            var data = batch.X;
            foreach (var layer in layers.TakeWhile(l => l is not ContinuousLayer)) data = layer.Forward(data).Value;
            var some = data.narrow(0, 0, (data.shape[0] + OneOf - 1) / OneOf);
            var latent = randn(some.shape, data.dtype, data.device, generator: generator);
            var left = rand(some.shape[0], 1, data.dtype, data.device, generator: generator).pow(two)
                .clamp_min(least);
            var t = left.neg().add(one);
            point = latent.lerp(some, t);
            // log N(point; t x, (1 - t)²) of each example x of the batch, but for what is the same for all of them
            var (near, far) = (t / left, point / left);
            var likely = (near * far).mm(data.t()).add(near.pow(two).mul(data.pow(two).sum(1).unsqueeze(0)), minusHalf);
            wanted = likely.softmax(1).mm(data).sub(point).div(left);
            time = t.squeeze(1);
        }
        return dynamics.Velocity(time, point).sub(wanted).pow(two).mean().MoveToOuterDisposeScope();
    }
}
