namespace RealNvp;

/// <summary>How the couplings of a model for vectors part the features; each coupling exchanges the parts.</summary>
public enum VectorMask
{
    /// <summary>Every second feature.</summary>
    Alternating,

    /// <summary>The first half and the second half.</summary>
    Halves,
}
