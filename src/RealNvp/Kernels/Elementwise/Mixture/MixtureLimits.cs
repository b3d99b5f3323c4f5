namespace RealNvp.Kernels;

/// <summary>The limits of a mixture map, and of the search for its root.</summary>
internal static class MixtureLimits
{
    /// <summary>The largest |log s|, and the largest |a|.</summary>
    public const double MaxLogSize = 7, MaxLogScale = 5;

    /// <summary>When the search for a root ends.</summary>
    public const int MaxSteps = 300;

    /// <summary>The relative step, and the relative residual, that are as small as rounding lets them be.</summary>
    public const double SmallStep = 1e-14, SmallResidual = 4e-15;

    /// <summary>A root that is as near as this, relative to max(1, |x|), is one
    /// to 14 digits: as near as the search's last steps take it.</summary>
    public const double LastDigits = 2 * SmallStep;

    /// <summary>The largest residual of a root, relative to max(1, |y|).</summary>
    public const double MaxResidual = 1e-6;

    /// <summary>The parameters of an element for so many components: 3 K + 2.</summary>
    public static int Parameters(int components) => (3 * components) + 2;
}
