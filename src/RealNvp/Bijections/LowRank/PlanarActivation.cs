namespace RealNvp;

/// <summary>The function h of a <see cref="PlanarLayer"/>.</summary>
public enum PlanarActivation
{
    /// <summary>tanh(a), as in the paper.</summary>
    Tanh,

    /// <summary>a where it is positive, and 0.2·a elsewhere. The inverse is in closed form; the log-determinant jumps at a = 0.</summary>
    LeakyRelu,
}
