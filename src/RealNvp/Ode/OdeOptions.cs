using System.Globalization;

namespace RealNvp;

/// <summary>How <see cref="OdeSolver"/> solves.</summary>
public sealed record OdeOptions
{
    /// <summary>The method; <see cref="OdeMethod.Dopri5"/> by default.</summary>
    public OdeMethod Method { get; init; } = OdeMethod.Dopri5;

    /// <summary>The error of a step that is allowed beside the relative one, in the units of y; 0 or more, not both 0.</summary>
    public double AbsoluteTolerance { get; init; } = 1e-6;

    /// <summary>
    /// The error of a step that is allowed as a share of |y|; 0 or more. No step is held to less
    /// than 16 roundings of the dtype (1.9e-6 in float32): smaller steps would only add rounding.
    /// </summary>
    public double RelativeTolerance { get; init; } = 1e-6;

    /// <summary>The number of equal steps from the first time to the last, for methods with steps of one size; at least 1.</summary>
    public int Steps { get; init; } = 64;

    /// <summary>The size of the first step that is tried, positive; null is Hairer's rule, which costs one evaluation.</summary>
    public double? FirstStep { get; init; }

    /// <summary>The most steps of one example, accepted and rejected together; at least
    /// 1. Beyond it the solve ends in an <see cref="OdeException"/>.</summary>
    public int MaxSteps { get; init; } = 10_000;

    /// <summary>How the errors of the components become one number.</summary>
    public OdeNorm Norm { get; init; } = OdeNorm.RootMeanSquare;

    /// <summary>
    /// What each component of an example, counted through all its dimensions, counts in the norm: w ≥ 0, at least
    /// one above 0. A component with 0 is solved for but does not choose the steps: 0 and 1 make a mask. Null is
    /// the same for all: 1/D for <see cref="OdeNorm.RootMeanSquare"/>, 1 for <see cref="OdeNorm.Maximum"/>.
    /// </summary>
    public IReadOnlyList<double>? ErrorWeights { get; init => field = Internal.Listed<double>.Of(value); }

    /// <summary>How gradients get through the solve.</summary>
    public OdeGradient Gradient { get; init; } = OdeGradient.Automatic;

    /// <summary>The bytes that <see cref="OdeGradient.Checkpointed"/> may keep of one solve; at least 0. 1 GiB by default.</summary>
    public long MemoryBudget { get; init; } = 1L << 30;

    /// <summary>λ of the reversible scheme, in (0, 1]: what a step keeps of y beside
    /// the second state. Errors grow by 1/λ a step when states are rebuilt.</summary>
    public double ReversibleCoupling { get; init; } = 0.999;

    internal bool IsAdaptive => Method is OdeMethod.Dopri5 or OdeMethod.Tsit5 or OdeMethod.Bosh3;

    internal void Validate(long components)
    {
        Require(Enum.IsDefined(Method), Method, nameof(Method), "is not one of OdeMethod.");
        Require(Enum.IsDefined(Norm), Norm, nameof(Norm), "is not one of OdeNorm.");
        Require(Enum.IsDefined(Gradient), Gradient, nameof(Gradient), "is not one of OdeGradient.");
        Require(AbsoluteTolerance >= 0 && double.IsFinite(AbsoluteTolerance), AbsoluteTolerance, nameof(AbsoluteTolerance),
            "must be finite and 0 or more.");
        Require(RelativeTolerance >= 0 && double.IsFinite(RelativeTolerance), RelativeTolerance, nameof(RelativeTolerance),
            "must be finite and 0 or more.");
        Require(AbsoluteTolerance > 0 || RelativeTolerance > 0, AbsoluteTolerance, nameof(AbsoluteTolerance),
            "and RelativeTolerance are both 0, which no step can reach. Set one of them.");
        Require(Steps >= 1, Steps, nameof(Steps), "must be at least 1.");
        Require(MaxSteps >= 1, MaxSteps, nameof(MaxSteps), "must be at least 1.");
        Require(MemoryBudget >= 0, MemoryBudget, nameof(MemoryBudget), "must be 0 or more.");
        Require(FirstStep is not { } first || (first > 0 && double.IsFinite(first)), FirstStep, nameof(FirstStep),
            "must be positive and finite, also backwards in time; null lets the solver choose.");
        Require(ReversibleCoupling is > 0 and <= 1, ReversibleCoupling, nameof(ReversibleCoupling), "must be in (0, 1].");
        if (ErrorWeights is not { } weights) return;
        Require(weights.Count == components, weights.Count, nameof(ErrorWeights), string.Create(CultureInfo.InvariantCulture,
            $"needs a weight for each of the {components} components of an example."));
        Require(weights.All(w => w >= 0 && double.IsFinite(w)) && weights.Any(w => w > 0), weights.Count, nameof(ErrorWeights),
            "must be finite and 0 or more, and at least one above 0.");
    }

    private static void Require(bool holds, object? value, string option, string rule)
    {
        if (!holds) throw new ArgumentOutOfRangeException(option, value, $"{option} {rule}");
    }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(OdeOptions), PrintMembers);
}
