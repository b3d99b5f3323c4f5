namespace RealNvp;

/// <summary>An explicit Runge–Kutta method of <see cref="OdeSolver"/>.</summary>
public enum OdeMethod
{
    /// <summary>Dormand and Prince, order 5(4), 6 evaluations a step (doi 10.1016/0771-050X(80)90013-3): the one to begin with.</summary>
    Dopri5,

    /// <summary>Tsitouras, order 5(4), 6 evaluations a step (doi 10.1016/j.camwa.2011.06.002):
    /// often a few steps fewer than <see cref="Dopri5"/>.</summary>
    Tsit5,

    /// <summary>Bogacki and Shampine, order 3(2), 3 evaluations a step (doi 10.1016/0893-9659(89)90079-7): for loose tolerances.</summary>
    Bosh3,

    /// <summary>Euler's method, order 1, with steps of one size (<see cref="OdeOptions.Steps"/>).</summary>
    Euler,

    /// <summary>The midpoint method, order 2, with steps of one size.</summary>
    Midpoint,

    /// <summary>The classic method of order 4, with steps of one size.</summary>
    Rk4,

    /// <summary>Kutta's 3/8 rule of order 4, with steps of one size: what torchdiffeq calls rk4.</summary>
    Rk4ThreeEighths,
}
