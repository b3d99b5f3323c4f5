namespace RealNvp.Kernels;

/// <summary>The numbers that choose the steps of a solve.</summary>
internal sealed record OdeControl
{
    /// <summary>Where an example of a solve is: <see cref="Active"/> goes on, all others are done or have failed.</summary>
    public const long Active = 0, Done = 1, TooManySteps = 2, StepTooSmall = 3, NotFinite = 4;

    // Hairer, Nørsett and Wanner, Solving Ordinary Differential Equations I, section
    // II.4: a safe share of the best step; how much a step may shrink and grow
    public const double Safety = 0.9, Shrink = 0.2, Grow = 10;

    /// <summary>The least error that counts in the history, so that one lucky step does not choose the next ones.</summary>
    public const double LeastError = 1e-4;

    /// <summary>The last step may be that much longer than the controller says, rather than leave a crumb.</summary>
    public const double Stretch = 1.01;

    /// <summary>The last time.</summary>
    public required double End { get; init; }

    /// <summary>The least step that the digits of t can tell.</summary>
    public required double LeastStep { get; init; }

    public required double AbsoluteTolerance { get; init; }

    public required double RelativeTolerance { get; init; }

    /// <summary>The order of the error estimate and one.</summary>
    public required int ErrorOrder { get; init; }

    public required long MaxSteps { get; init; }

    /// <summary>Whether steps are chosen; else all are taken, <see cref="FixedSteps"/> of one size.</summary>
    public required bool IsAdaptive { get; init; }

    public required long FixedSteps { get; init; }

    /// <summary>The first time.</summary>
    public required double Start { get; init; }

    /// <summary>Whether the norm is the largest weighted error, and not the root of their sum of squares.</summary>
    public required bool UsesMaximum { get; init; }

    /// <summary>1, or -1 backwards in time.</summary>
    public double Sign => End < Start ? -1 : 1;

    /// <summary>The weights of the components.</summary>
    public required double[] Weights { get; init; }

    /// <summary>The exponents of a PI controller: of the error of this step, and of the one before.</summary>
    public double Proportional => (1.0 / ErrorOrder) - (0.75 * Integral);

    public double Integral => 0.2 / ErrorOrder;
}
