namespace RealNvp.Tests.Densities;

/// <summary>A density on two elements, and what is its own among the laws of densities.</summary>
public sealed record DensityCase(string Name, Func<Density> Make)
{
    /// <summary>How far the grid of the integral reaches: tails have hardly any mass beyond it.</summary>
    public double Reach { get; init; } = 16;

    /// <summary>How near to 1 the integral over the grid is.</summary>
    public double MassTolerance { get; init; } = 1e-5;

    /// <summary>The error of the grid in the mass of a cell.</summary>
    public double HistogramTolerance { get; init; } = 2e-3;

    /// <summary>Whether it is a density by length on the circle of unit vectors.</summary>
    public bool IsOnCircle { get; init; }

    /// <summary>Whether samples differ at temperature 0, by the choice of a part.</summary>
    public bool ChoosesAPart { get; init; }

    /// <summary>Whether the weights change nothing.</summary>
    public bool WeightsDoNothing { get; init; }

    /// <summary>Whether what is drawn depends on values that were drawn before: a device without values cannot stand in.</summary>
    public bool DrawsByValues { get; init; }

    /// <summary>log p at (10⁴, −10⁴), (0, 10⁻³⁰) and (10¹⁵, −10¹⁵); null if they are finite.</summary>
    public float[]? AtExtremes { get; init; }

    /// <summary>What has to be done after the weights were changed.</summary>
    public Action<Density> Settle { get; init; } = _ => { };

    public override string ToString() => Name;
}

/// <summary>Every density, far from its initial weights in the tests; the box and the logistic as they are.</summary>
public static class DensityTable
{
    private static readonly Action<Density> normalize = density => ((ResampledNormal)density).EstimateNormalizer(400_000, seed: 2);

    public static IReadOnlyList<DensityCase> All { get; } =
    [
        new("standard normal", () => new StandardNormal([2])),
        new("standard logistic", () => new StandardLogistic([2])),
        new("diagonal normal", () => new DiagonalNormal([2])),
        new("diagonal normal, context", () => new DiagonalNormal([2], contextSize: 3, hidden: 8)),
        new("class-conditional normal", () => new ClassConditionalNormal([2], 3)),
        new("mixture", () => new GaussianMixture([2], 3)) { ChoosesAPart = true, DrawsByValues = true },
        new("mixture, context", () => new GaussianMixture([2], 2, contextSize: 3, hidden: 8)) { ChoosesAPart = true, DrawsByValues = true },
        // a t of 3 degrees has tails beyond any box
        new("Student t", () => new StudentT([2], 4)) { Reach = 60, MassTolerance = 1e-3 },
        new("Student t, fixed", () => new StudentT([2], 3, learned: false)) { Reach = 60, MassTolerance = 1e-3 },
        new("product", () => new ProductDensity([2], ([1], new DiagonalNormal([1])), ([0], new StandardLogistic([1])))),
        new("product, context", () => new ProductDensity([2], ([1], new DiagonalNormal([1], contextSize: 3, hidden: 8)),
            ([0], new DiagonalNormal([1], contextSize: 3, hidden: 8)))),
        // its edges lie between points of the grid
        new("uniform box", () => new UniformBox([2], -1, 3)) { MassTolerance = 0.02, HistogramTolerance = 4e-3,
            AtExtremes = [float.NegativeInfinity, (float)-Math.Log(16), float.NegativeInfinity] },
        new("uniform sphere", () => new UniformSphere([2])) { IsOnCircle = true, ChoosesAPart = true,
            AtExtremes = [float.NegativeInfinity, float.NegativeInfinity, float.NegativeInfinity] },
        // its normalizer is estimated
        new("resampled normal", () => new ResampledNormal([2], hidden: 16)) { MassTolerance = 0.004, HistogramTolerance = 4e-3,
            DrawsByValues = true, Settle = normalize },
        new("resampled normal, few tries", () => new ResampledNormal([2], hidden: 16, tries: 3)) { MassTolerance = 0.004,
            HistogramTolerance = 4e-3, DrawsByValues = true, Settle = normalize },
        new("resampled normal, one try", () => new ResampledNormal([2], hidden: 16, tries: 1)) { MassTolerance = 0.004,
            HistogramTolerance = 4e-3, DrawsByValues = true, WeightsDoNothing = true, Settle = normalize },
    ];

    public static TheoryData<string> Names => [.. All.Select(row => row.Name)];

    public static DensityCase Find(string name) => All.Single(row => row.Name == name);
}
