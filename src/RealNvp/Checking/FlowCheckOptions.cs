using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Checking;

/// <summary>Settings of <see cref="FlowCheck"/>; the defaults suit a layer on the whole space.</summary>
public sealed record FlowCheckOptions
{
    /// <summary>Seeds inputs, parameters and the layer's randomness: the same seed makes the same report.</summary>
    public long Seed { get; init; } = 1;

    /// <summary>
    /// Draws the parameters before the check: each gets noise added, N(0, s²) with s = <see cref="ParameterSpread"/>·min(1, 3/√(fan-in)).
    /// A layer at its initialization is often the identity, and that proves nothing. False checks it as it is, such as after training.
    /// </summary>
    public bool RandomizeParameters { get; init; } = true;

    /// <summary>The spread of that noise; positive. More is a harder test.</summary>
    public double ParameterSpread { get; init; } = 0.3;

    /// <summary>
    /// Training passes on random batches before the check, so that running statistics leave their initial values; 0 or more. Only with
    /// <see cref="RandomizeParameters"/>.
    /// </summary>
    public int TrainingPasses { get; init; } = 3;

    /// <summary>The least value of x that the map is for; the default is no limit.</summary>
    public double Minimum { get; init; } = double.NegativeInfinity;

    /// <summary>The largest value of x that the map is for; the default is no limit.</summary>
    public double Maximum { get; init; } = double.PositiveInfinity;

    /// <summary>The magnitude of extreme inputs, within <see cref="Minimum"/> and <see cref="Maximum"/>; 0 checks none.</summary>
    public double Extreme { get; init; } = 1e4;

    /// <summary>Special values of x and z, such as knots and the edges of a spline:
    /// whole examples of each, and examples with some elements there.</summary>
    public IReadOnlyList<double> Points { get; init => field = Internal.Listed<double>.Of(value)!; } = [];

    /// <summary>
    /// Checks Inverse at latents that are drawn, and not only at Forward's results. False if z fills only a part of the space, as
    /// behind a sigmoid.
    /// </summary>
    public bool DrawLatents { get; init; } = true;

    /// <summary>The context (n, C) that examples take in turn; null draws normal numbers. It stays the caller's.</summary>
    public Tensor? Context { get; init; }

    /// <summary>The relative tolerance in float64, ten times as much at zeros,
    /// extremes and points; an allowance for rounding comes on top.</summary>
    public double Float64Tolerance { get; init; } = 1e-8;

    /// <summary>The relative tolerance in float32, ten times as much at zeros,
    /// extremes and points; an allowance for rounding comes on top.</summary>
    public double Float32Tolerance { get; init; } = 1e-4;

    internal void Validate()
    {
        Positive(ParameterSpread, nameof(ParameterSpread));
        Positive(Float64Tolerance, nameof(Float64Tolerance));
        Positive(Float32Tolerance, nameof(Float32Tolerance));
        ArgumentOutOfRangeException.ThrowIfNegative(TrainingPasses);
        if (!(Minimum < Maximum))
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                $"Minimum must be less than Maximum; got {Minimum} and {Maximum}."), nameof(Minimum));
        if (!(Extreme >= 0 && double.IsFinite(Extreme)))
            throw new ArgumentOutOfRangeException(nameof(Extreme), Extreme, "Extreme must be finite and 0 or more.");
        if (Points is null) throw new ArgumentNullException(nameof(Points));
        if (Points.Any(p => !double.IsFinite(p))) throw new ArgumentException("Points must be finite.", nameof(Points));
    }

    internal double Tolerance(ScalarType dtype) => dtype == float64 ? Float64Tolerance : Float32Tolerance;

    private static void Positive(double value, string name)
    {
        if (!(value > 0 && double.IsFinite(value)))
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be positive and finite.");
    }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(FlowCheckOptions), PrintMembers);
}
