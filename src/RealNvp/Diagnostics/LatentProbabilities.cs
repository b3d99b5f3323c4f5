using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Probabilities of latents under a base density that knows its distribution function.</summary>
internal static class LatentProbabilities
{
    private const int RowsAtOnce = 1 << 15;
    private const double Step = 0.25;

    /// <summary>Whether one number goes through the flow to a latent of the line, so that it rises or falls with it.</summary>
    public static bool IsExactFor(Flow flow) => flow.InputShape.NumElements == 1 && flow.BaseDensity is IElementCdf
        && !flow.BaseDensity.HasBoundedSupport && !flow.IsStochastic;

    /// <summary>P(zᵢ or less) of each latent, (N · D) row by row.</summary>
    public static double[] Of(Flow flow, Tensor x, Tensor? context, CancellationToken token) =>
        Each(flow, x, context, (_, _, below) => below, token);

    /// <summary>P(x or less) of examples of one number.</summary>
    public static double[] OfOne(Flow flow, Tensor x, Tensor? context, CancellationToken token) =>
        Each(flow, x, context, (z, given, below) =>
        {
            // in which direction x rises may depend on the context
            var step = Scalars.Of(Step);
            var rises = flow.Decode(z.add(step, Scalars.One), given, cancellationToken: token)
                .gt(flow.Decode(z.sub(step), given, cancellationToken: token)).reshape(below.shape);
            return below.where(rises, below.neg().add(Scalars.One, Scalars.One));
        }, token);

    /// <summary>The tests of (N · D) independent values.</summary>
    public static CalibrationResult Result(double[] values, string[] names, double level)
    {
        var rows = values.Length / names.Length;
        var band = UniformBand.Of(rows, 0);
        var tests = names.Select((name, feature) =>
        {
            var bins = new int[band.Bins];
            var (sum, spread) = (0.0, 0.0);
            for (var row = 0; row < rows; row++)
            {
                var u = values[(row * names.Length) + feature];
                bins[band.BinOf(u)]++;
                sum += u;
                spread += Math.Abs((2 * u) - 1);
            }
            return UniformityTest.Of(name, bins, band, 0, sum / rows, spread / rows, level);
        }).ToArray();
        // of independent tests the smallest p-value is at or below p with the probability 1 − (1 − p)^D
        var least = tests.Min(t => t.PValue);
        return new()
        {
            Kind = CalibrationKind.Pit, Tests = tests, Level = level,
            PValue = Math.Min(1, least < 1e-9 ? least * tests.Length : -Math.Exp(tests.Length * Math.Log(Math.Max(1 - least, 1e-300))) + 1),
        };
    }

    private static double[] Each(Flow flow, Tensor x, Tensor? context,
        Func<Tensor, Tensor?, Tensor, Tensor> probabilities, CancellationToken token)
    {
        using var gradients = no_grad();
        List<double> all = [];
        for (long start = 0; start < x.shape[0]; start += RowsAtOnce)
        {
            token.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var count = Math.Min(RowsAtOnce, x.shape[0] - start);
            var given = context?.narrow(0, start, count);
            var z = flow.Encode(x.narrow(0, start, count), given, cancellationToken: token);
            all.AddRange(probabilities(z, given, flow.CdfOfLatents(z, given)).FetchDoubles());
        }
        return [.. all];
    }
}
