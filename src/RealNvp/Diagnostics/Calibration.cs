using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The way from a density and true values to ranks, which all calibrations share: some rows at a time.</summary>
internal sealed class Calibration
{
    private const int DrawsAtOnce = 1 << 17;

    private readonly ConditionalDensity density;
    private readonly Tensor theta;
    private readonly Tensor? context;
    private readonly int draws;
    private readonly double level;
    private readonly long seed;
    private readonly string owner;

    private Calibration(ConditionalDensity density, Tensor theta, Tensor? context, int draws, double level, long seed, string owner) =>
        (this.density, this.theta, this.context, this.draws, this.level, this.seed, this.owner)
            = (density, theta, context, draws, level, seed, owner);

    /// <summary>The numbers of a row.</summary>
    public long Features => theta.numel() / theta.shape[0];

    /// <summary>Checks the arguments.</summary>
    public static Calibration Of(ConditionalDensity density, Tensor theta, Tensor? context, int draws, double level, long seed,
        string owner, string parameter)
    {
        ArgumentNullException.ThrowIfNull(density);
        Diagnostics.CheckDraws(draws, owner);
        Diagnostics.CheckLevel(level, owner);
        density.CheckArguments(theta, context, owner, parameter);
        return new(density, theta, context, draws, level, seed, owner);
    }

    /// <summary>Ranks of what <paramref name="quantities"/> gives for true values and draws.</summary>
    /// <param name="kind">What the result is.</param>
    /// <param name="names">Of the quantities.</param>
    /// <param name="wantsLogProb">Whether the quantities use log p.</param>
    /// <param name="quantities">Gives (R, 1 + L, quantities) in float64 for a part of R rows.</param>
    /// <param name="progress">Hears how many rows are done.</param>
    /// <param name="token">Stops between two parts.</param>
    public CalibrationResult Run(CalibrationKind kind, string[] names, bool wantsLogProb, Func<CalibrationPart, Tensor> quantities,
        IProgress<long>? progress, CancellationToken token)
    {
        using var gradients = no_grad();
        var rows = checked((int)theta.shape[0]);
        var counter = new RankCounter(names, rows, draws, seed);
        Each(rows, wantsLogProb, part =>
        {
            var numbers = quantities(part).FetchDoubles();
            var width = (draws + 1) * names.Length;
            for (var row = 0; row < part.Flat.shape[0]; row++)
            {
                var one = numbers.AsSpan(row * width, width);
                for (var i = 0; i < one.Length; i++)
                    if (double.IsNaN(one[i]))
                        throw new ArgumentException(
                            $"{owner}: {names[i % names.Length]} is NaN for {(i < names.Length ? "the true value" : "a draw")} of row " +
                            $"{part.Start + row}. A density of 0 has log p of minus infinity; look at log p and quantities there.");
                counter.Add(one);
            }
        }, progress, token);
        var (tests, pValue) = counter.Result(level);
        return new() { Kind = kind, Tests = tests, PValue = pValue, Level = level };
    }

    /// <summary>Draws for some rows at a time, with the true values before them.</summary>
    public void Each(int rows, bool wantsLogProb, Action<CalibrationPart> use, IProgress<long>? progress, CancellationToken token)
    {
        var size = (int)Math.Max(1, DrawsAtOnce / (draws * Math.Max(1, Features / 8)));
        for (var start = 0; start < rows; start += size)
        {
            token.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var count = Math.Min(size, rows - start);
            var (truth, given) = (theta.narrow(0, start, count), context?.narrow(0, start, count));
            var (drawn, logDraws) = density.Draw(truth, given, draws, Seeds.Of(seed, start), wantsLogProb, owner);
            var all = cat([truth.unsqueeze(1).to(float64, drawn.device), drawn.to(float64)], 1);
            var logProb = logDraws is null ? null
                : cat([density.LogProb(truth, given, owner, Seeds.Of(seed, -2 - start)).unsqueeze(1).to(float64), logDraws.to(float64)], 1);
            use(new(start, all, theta.dim() == 1 ? all.unsqueeze(2) : all.flatten(2, -1), logProb, given,
                theta.is_floating_point() ? theta.dtype : get_default_dtype()));
            progress?.Report(start + count);
        }
    }
}
