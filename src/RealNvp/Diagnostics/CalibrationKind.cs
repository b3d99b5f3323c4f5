namespace RealNvp;

/// <summary>What the values of a <see cref="CalibrationResult"/> are. All of them are uniform if the density is right.</summary>
public enum CalibrationKind
{
    /// <summary>Simulation-based calibration: ranks of quantities of the true parameters among those of draws.</summary>
    Sbc,

    /// <summary>Coverage of regions of highest density: the rank of −log p
    /// of the true value, so the smallest region that holds it.</summary>
    Coverage,

    /// <summary>Tests of accuracy with random points: the rank of the distance of the true value from a reference point.</summary>
    Tarp,

    /// <summary>Probability integral transform: the probability below the true value, feature by feature.</summary>
    Pit,
}
