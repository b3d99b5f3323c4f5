namespace RealNvp.Internal;

/// <summary>Functions that .NET does not have, in double precision.</summary>
internal static class SpecialFunctions
{
    private const double Smallest = 1e-300, Precision = 1e-16;
    private const int MostSteps = 10_000;

    /// <summary>log Γ(x) for x above 0, to about 1e-14 of its size: Stirling's series from 10 on, and the recurrence below.</summary>
    public static double LogGamma(double x)
    {
        var product = 1.0;
        for (; x < 10; x++) product *= x;
        var r = 1 / (x * x);
        return ((x - 0.5) * Math.Log(x)) - x + (0.5 * Math.Log(2 * Math.PI)) - Math.Log(product)
            + ((1.0 / 12 - (r * (1.0 / 360 - (r * (1.0 / 1260 - (r * (1.0 / 1680 - (r / 1188)))))))) / x);
    }

    /// <summary>exp(x) − 1 with a small relative error for small x too, where .NET's own subtracts (Kahan).</summary>
    public static double ExpMinusOne(double x)
    {
        var exp = Math.Exp(x);
        return exp == 1 ? x : Math.Abs(x) > 1 ? exp - 1 : (exp - 1) * x / Math.Log(exp);
    }

    /// <summary>The regularized incomplete beta function Iₓ(a, b), for a and b above 0 and x in 0 ... 1, by its continued fraction
    /// (DLMF 8.17.22), evaluated by Lentz's method.</summary>
    public static double IncompleteBeta(double x, double a, double b)
    {
        if (x <= 0) return 0;
        if (x >= 1) return 1;
        // the fraction converges fast on this side
        if (x > (a + 1) / (a + b + 2)) return 1 - IncompleteBeta(1 - x, b, a);
        var front = Math.Exp((a * Math.Log(x)) + (b * Math.Log(1 - x)) + LogGamma(a + b) - LogGamma(a) - LogGamma(b)) / a;
        double c = 1, d = 1 / NotZero(1 - ((a + b) * x / (a + 1))), value = d;
        for (var m = 1; m < MostSteps; m++)
        {
            var even = m * (b - m) * x / ((a + (2 * m) - 1) * (a + (2 * m)));
            d = 1 / NotZero(1 + (even * d));
            c = NotZero(1 + (even / c));
            value *= c * d;
            var odd = -(a + m) * (a + b + m) * x / ((a + (2 * m)) * (a + (2 * m) + 1));
            d = 1 / NotZero(1 + (odd * d));
            c = NotZero(1 + (odd / c));
            value *= c * d;
            if (Math.Abs((c * d) - 1) < Precision) break;
        }
        return front * value;
    }

    /// <summary>P(T ≤ t) of Student's t with ν degrees of freedom.</summary>
    public static double StudentCdf(double t, double degrees)
    {
        var tail = 0.5 * IncompleteBeta(degrees / (degrees + (t * t)), degrees / 2, 0.5);
        return t > 0 ? 1 - tail : tail;
    }

    private static double NotZero(double value) => Math.Abs(value) < Smallest ? Smallest : value;
}
