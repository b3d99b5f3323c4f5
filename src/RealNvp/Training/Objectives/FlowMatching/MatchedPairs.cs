using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Which latent goes to which example.</summary>
internal static class MatchedPairs
{
    // enough for the pairs to be drawn from: an iteration moves them by less than noise does
    private const int MostSinkhornSteps = 500;
    private const double SinkhornTolerance = 1e-2;

    /// <summary>The latents in the order of the examples that they go to. In the caller's scope.</summary>
    /// <param name="pairing">How pairs are found.</param>
    /// <param name="paths">What measures distances.</param>
    /// <param name="x0">(N, ...).</param>
    /// <param name="x1">(N, ...).</param>
    /// <param name="regularization">Of Sinkhorn, in parts of the mean squared distance.</param>
    /// <param name="generator">Draws pairs.</param>
    /// <param name="most">The most examples that are paired together; more are parted.</param>
    public static Tensor Latents(FlowMatchingPairing pairing, MatchedPaths paths, Tensor x0, Tensor x1, double regularization,
        Generator? generator, long most = long.MaxValue)
    {
        var count = x0.shape[0];
        if (count > most)
        {
            List<Tensor> parts = [];
            for (long start = 0; start < count; start += most)
            {
                var size = Math.Min(most, count - start);
                parts.Add(Latents(pairing, paths, x0.narrow(0, start, size), x1.narrow(0, start, size), regularization, generator, most));
            }
            return cat(parts);
        }
        if (pairing == FlowMatchingPairing.Independent || count < 2) return x0;
        var costs = paths.Costs(x0, x1);
        if (pairing == FlowMatchingPairing.OptimalTransport)
        {
            var numbers = costs.FetchDoubles();
            // a step that is not finite is refused later, with the name of what is at fault
            if (!Array.TrueForAll(numbers, double.IsFinite)) return x0;
            var ofRow = LinearAssignment.Solve(numbers, (int)count);
            var ofColumn = new long[count];
            for (var i = 0; i < ofRow.Length; i++) ofColumn[ofRow[i]] = i;
            return x0.index_select(0, tensor(ofColumn, device: x0.device));
        }
        var strength = costs.mean().mul(Scalars.Of(regularization)).clamp_min(Scalars.Of(double.Epsilon));
        var logPlan = SinkhornPlan.Log(costs.div(strength), MostSinkhornSteps, SinkhornTolerance).LogPlan;
        // for each example a latent from its column, by the largest of log p plus Gumbel noise
        var gumbel = Noise.Uniform([count, count], float64, x0.device, generator, finfo(float64).tiny, 1).log().neg().log().neg();
        return x0.index_select(0, logPlan.add(gumbel, Scalars.One).argmax(0));
    }
}
