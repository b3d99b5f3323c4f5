using RealNvp.Kernels;
using RealNvp.Scoring.Files;

namespace RealNvp.Scoring.Models;

/// <summary>The numbers of the splines of a model.</summary>
internal sealed class SplineNumbers
{
    public SplineNumbers(OptionsReader options)
    {
        (Bins, Bound) = (options.Whole("Bins", 1, 64), options.Number("Bound", double.Epsilon, double.MaxValue));
        SmallestBin = options.Number("SmallestBin", 1e-6, 1, since: 3, before: 1e-3);
        SmallestDerivative = options.Number("SmallestDerivative", 1e-6, 0.5, since: 3, before: 1e-3);
        if (SmallestBin * Bins >= 1) throw options.Bad("SmallestBin must be less than 1/Bins");
    }

    public int Bins { get; }

    public double Bound { get; }

    public double SmallestBin { get; }

    public double SmallestDerivative { get; }

    /// <summary>A spline within ± the bound.</summary>
    public SplineShape Line(bool box) =>
        new(Bins, -Bound, Bound, box ? SplineEnds.Box : SplineEnds.Linear, SmallestBin, SmallestDerivative);

    /// <summary>A spline of a circle.</summary>
    public SplineShape Circle(double low, double high) => new(Bins, low, high, SplineEnds.Circular, SmallestBin, SmallestDerivative);
}
