using RealNvp.Internal;
using RealNvp.Kernels;

namespace RealNvp.Scoring.Models;

internal sealed unsafe partial class ModelBuilder
{
    // the hidden features of the networks of conditional densities, and of the one that rejects
    private const int ConditionalHidden = 64, ResampledHidden = 128, ResampledTries = 100;

    /// <summary>Reads which density the latents have.</summary>
    /// <param name="since">The format version from which on files say it.</param>
    /// <param name="before">What it was before.</param>
    public string BaseKind(int since, string before)
    {
        var kind = Options.Word("Base", ["StandardNormal", "StandardLogistic", "StudentT", "DiagonalNormal", "GaussianMixture",
            "UniformBox", "ResampledNormal", "UniformSphere"], since, before);
        components = Options.Whole("BaseComponents", 1, 4096, since: 3, before: 8);
        Options.Number("BaseDegreesOfFreedom", 0.5, 1e4, since: 3, before: 5);
        return kind;
    }

    private int components;

    /// <summary>The density of latents, or of a part of them.</summary>
    /// <param name="kind">What <see cref="BaseKind"/> gave.</param>
    /// <param name="key">Its key.</param>
    /// <param name="size">How many features it has.</param>
    /// <param name="box">The b where the steps map the box ±b onto itself; null if they map no box.</param>
    public RowDensity Density(string kind, string key, int size, double? box)
    {
        switch (kind)
        {
            case "StandardNormal": return new NormalRows();
            case "StandardLogistic": return new LogisticRows();
            case "StudentT":
                return new StudentRows(Array.ConvertAll(Finite($"{key}.log_degrees", size), StudentRows.Degrees),
                    SpecialFunctions.LogGamma);
            case "DiagonalNormal":
                if (ContextSize > 0)
                    return new MixtureDensityRows<float>(null, new FixedNumbers(new double[size]), new FixedNumbers(new double[size]),
                        ResidualMlp($"{key}.network", ContextSize, 2 * size, ConditionalHidden, 1, 0, Limit));
                return new MixtureDensityRows<float>(null, Numbers($"{key}.mean", size), Numbers($"{key}.log_scale", size), null);
            case "GaussianMixture":
                var network = ContextSize > 0 ? ResidualMlp($"{key}.network", ContextSize, checked(components * (1 + (2 * size))),
                    ConditionalHidden, 1, 0, Limit) : null;
                return new MixtureDensityRows<float>(Numbers($"{key}.logits", components), Numbers($"{key}.means", components, size),
                    Numbers($"{key}.log_scales", components, size), network);
            case "UniformBox" when box is { } bound && Threshold is null: return new BoxRows(-bound, bound);
            case "ResampledNormal":
                return new ResampledRows<float>(ResidualMlp($"{key}.network", size, 1, ResampledHidden, 1, 0, 0),
                    new FixedNumbers(File.Take($"{key}.normalizer").Doubles(v => v is >= 0 and <= 1.001, "a number in 0 ... 1.001")),
                    ResampledTries);
            default: throw Options.Bad($"Base is {kind}, which does not go together with the other options");
        }
    }

    private FixedNumbers Numbers(string name, params ReadOnlySpan<long> shape) => new(File.Take(name, shape).Doubles());
}
