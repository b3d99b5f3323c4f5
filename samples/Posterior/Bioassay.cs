using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Posterior;

/// <summary>
/// How many of 5 animals die at each of 4 doses (Racine et al. 1986; Gelman et al., Bayesian Data Analysis, section 3.7): logistic
/// regression with an intercept and a slope. No formula solves it; a fine grid does.
/// </summary>
public sealed class Bioassay : IPosterior
{
    // beyond 7 prior standard deviations there is less than 1e-10 of the prior
    private const double GridEnd = 7;
    private static readonly double[] logDoses = [-0.86, -0.30, -0.05, 0.73], animals = [5, 5, 5, 5], deaths = [0, 1, 3, 5],
        ways = [1, 5, 10, 1];
    private readonly Tensor doses, dead, alive;

    /// <summary>Makes the model, and integrates it on a grid.</summary>
    /// <param name="cells">The number of cells of the grid in each direction.</param>
    /// <param name="device">Where log-densities are computed.</param>
    public Bioassay(int cells, Device device)
    {
        doses = tensor(logDoses).to(device);
        dead = tensor(deaths).to(device);
        alive = tensor(animals).sub(tensor(deaths)).to(device);
        Exact = Integrate(cells, device);
    }

    /// <inheritdoc/>
    public string Title => "Logistic regression: deaths of animals against the logarithm of the dose; exact by a grid";

    /// <inheritdoc/>
    public IReadOnlyList<string> Names { get; } = ["intercept", "slope"];

    /// <inheritdoc/>
    public IReadOnlyList<(double Mean, double Deviation)> Prior { get; } = [(0, 2), (10, 10)];

    /// <inheritdoc/>
    public Answers Exact { get; }

    /// <inheritdoc/>
    public Tensor LogDensity(Tensor u)
    {
        var intercept = u.narrow(1, 0, 1).mul(Prior[0].Deviation).add(Prior[0].Mean);
        var slope = u.narrow(1, 1, 1).mul(Prior[1].Deviation).add(Prior[1].Mean);
        var logits = intercept.add(slope.mul(doses.to(u.dtype)));
        var likelihood = nn.functional.logsigmoid(logits).mul(dead.to(u.dtype)).add(nn.functional.logsigmoid(logits.neg()).mul(
            alive.to(u.dtype))).sum(1);
        return likelihood.add(u.square().sum(1).mul(-0.5)).add(ways.Sum(Math.Log) - Math.Log(2 * Math.PI));
    }

    private Answers Integrate(int cells, Device device)
    {
        // the midpoint rule: for a smooth density that has vanished at the ends, its error falls faster than any power of the width
        var width = 2 * GridEnd / cells;
        var axis = arange(cells, dtype: float64, device: device).add(0.5).mul(width).sub(GridEnd);
        var points = cartesian_prod(axis, axis);
        var logDensity = LogDensity(points);
        var evidence = logDensity.logsumexp(0).add(2 * Math.Log(width)).item<double>();
        var weights = logDensity.sub(logDensity.logsumexp(0)).exp();
        var means = weights.matmul(points);
        var deviations = weights.matmul(points.sub(means).square()).sqrt();
        return new Answers(evidence, InUnits(means, shift: true), InUnits(deviations, shift: false));
    }

    private double[] InUnits(Tensor values, bool shift) =>
        [.. values.cpu().data<double>().ToArray().Select((v, i) => (v * Prior[i].Deviation) + (shift ? Prior[i].Mean : 0))];
}
