namespace RealNvp;

/// <summary>Why a solve ended before its time.</summary>
public enum OdeFailure
{
    /// <summary>An example needed more than <see cref="OdeOptions.MaxSteps"/>
    /// steps, as stiff dynamics do with every explicit method.</summary>
    TooManySteps,

    /// <summary>The step became smaller than the digits of t can tell, as where a
    /// solution grows without bound in finite time, or f is not continuous.</summary>
    StepTooSmall,

    /// <summary>The state or f is NaN or infinite.</summary>
    NotFinite,
}
