using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>How a <see cref="ContinuousLayer"/> solves, and how it has its log-determinant.</summary>
public sealed record ContinuousOptions
{
    /// <summary>The method of the solver.</summary>
    public OdeMethod Method { get; init; } = OdeMethod.Dopri5;

    /// <summary>Both tolerances of the solver, in units of x and of nats: the allowed error
    /// of one step. Null is 1e-5 in float32 and 1e-8 in float64. Positive.</summary>
    public double? Tolerance { get; init; }

    /// <summary>The number of equal steps, for methods with steps of one size; at least 1.</summary>
    public int Steps { get; init; } = 32;

    /// <summary>The most steps of one example; beyond it, an <see cref="OdeException"/>. At least 1.</summary>
    public int MaxSteps { get; init; } = 10_000;

    /// <summary>How gradients get through the solve; <see cref="OdeGradient.Automatic"/> keeps the state at each step.</summary>
    public OdeGradient Gradient { get; init; } = OdeGradient.Automatic;

    /// <summary>The bytes that may be kept of one solve for its gradient; at least 0.</summary>
    public long MemoryBudget { get; init; } = 1L << 30;

    /// <summary>How the divergence is had.</summary>
    public DivergenceKind Divergence { get; init; } = DivergenceKind.Automatic;

    /// <summary>The elements D of an example up to which <see cref="DivergenceKind.Automatic"/> is exact; at least 0.</summary>
    public long ExactUpTo { get; init; } = 64;

    /// <summary>The random vectors of an estimate.</summary>
    public HutchinsonProbe Probe { get; init; } = HutchinsonProbe.Rademacher;

    /// <summary>k, the number of random vectors of an estimate in training; at least 1.</summary>
    public int Probes { get; init; } = 1;

    /// <summary>k in evaluation; from 2 on, their spread gives a standard error. At least 1.</summary>
    public int EvaluationProbes { get; init; } = 8;

    /// <summary>Throws <see cref="ArgumentException"/> if an option is out of its range.</summary>
    internal void Validate()
    {
        Named(Divergence, nameof(Divergence));
        Named(Probe, nameof(Probe));
        Check.Positive(Probes, nameof(Probes), "The number of probes");
        Check.Positive(EvaluationProbes, nameof(EvaluationProbes), "The number of probes in evaluation");
        Check.NotNegative(ExactUpTo, nameof(ExactUpTo), "The number of elements with an exact divergence");
        if (Tolerance is { } tolerance && !(tolerance > 0 && double.IsFinite(tolerance)))
            throw new ArgumentOutOfRangeException(nameof(Tolerance), tolerance,
                "Tolerance must be positive and finite; null is 1e-5 in float32 and 1e-8 in float64.");
        Solver(ScalarType.Float32, [1]).Validate(1);
    }

    /// <summary>The options of the solver for a dtype, times a factor of the tolerance.</summary>
    internal OdeOptions Solver(ScalarType dtype, IReadOnlyList<double> weights, double factor = 1)
    {
        var tolerance = factor * ToleranceFor(dtype);
        return new()
        {
            Method = Method,
            AbsoluteTolerance = tolerance,
            RelativeTolerance = tolerance,
            // what a smaller tolerance is for steps that are chosen, more steps are for those that are not
            Steps = factor == 1 ? Steps : checked(2 * Steps),
            MaxSteps = MaxSteps,
            Gradient = Gradient,
            MemoryBudget = MemoryBudget,
            ErrorWeights = weights,
        };
    }

    internal double ToleranceFor(ScalarType dtype) => Tolerance ?? (dtype == float64 ? 1e-8 : 1e-5);

    private static void Named<T>(T value, string name) where T : struct, Enum
    {
        if (!Enum.IsDefined(value)) throw new ArgumentOutOfRangeException(name, value, $"{name} is not one of {typeof(T).Name}.");
    }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(ContinuousOptions), PrintMembers);
}
