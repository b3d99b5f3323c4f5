namespace RealNvp.Kernels;

/// <summary>The density of the latents of a <see cref="RowPlan"/>.</summary>
/// <remarks>It is never changed once it is made.</remarks>
internal abstract unsafe class RowDensity
{
    public const double HalfLogTwoPi = 0.91893853320467274;

    /// <summary>The numbers of scratch memory that a block needs.</summary>
    public virtual long Scratch => 0;

    /// <summary>Adds log p(z) of each row to its sum.</summary>
    public abstract void LogProb(in RowBlock block);

    /// <summary>Fills the rows.</summary>
    public abstract void Sample(in RowBlock block, ref RowRandom random);

    /// <summary>log(1 + u²), for u whose square is no number too.</summary>
    public static double LogOnePlusSquare(double u)
    {
        var size = Math.Abs(u);
        return size <= 1 ? Math.Log(1 + (size * size)) : (2 * Math.Log(size)) + Math.Log(1 + (1 / size / size));
    }

    /// <summary>log(1 + exp(−a)) for a of 0 or more.</summary>
    protected static double Softplus(double minus) => Math.Log(1 + Math.Exp(-minus));
}

/// <summary>A density whose elements are independent and have no context.</summary>
internal abstract unsafe class ElementDensity : RowDensity
{
    public sealed override void LogProb(in RowBlock block)
    {
        var z = block.X;
        for (var row = 0; row < block.Rows; row++, z += block.Features)
        {
            double sum = 0;
            for (var i = 0; i < block.Features; i++) sum += LogProb(z[i], i, block.Epsilon);
            block.LogDet[row] += sum;
        }
    }

    public sealed override void Sample(in RowBlock block, ref RowRandom random)
    {
        for (var row = 0; row < block.Rows; row++)
            for (var i = 0; i < block.Features; i++) block.X[((nint)row * block.Features) + i] = block.Rounded(Draw(ref random, i));
    }

    /// <summary>Of one number, beside what rounding does to 1.</summary>
    protected abstract double LogProb(double z, int feature, double epsilon);

    protected abstract double Draw(ref RowRandom random, int feature);
}

/// <summary>Standard normals.</summary>
internal sealed class NormalRows : ElementDensity
{
    protected override double LogProb(double z, int feature, double epsilon) => (-0.5 * z * z) - HalfLogTwoPi;

    protected override double Draw(ref RowRandom random, int feature) => random.Normal();
}

/// <summary>Standard logistics.</summary>
internal sealed class LogisticRows : ElementDensity
{
    protected override double LogProb(double z, int feature, double epsilon)
    {
        var size = Math.Abs(z);
        return -size - (2 * Softplus(size));
    }

    protected override double Draw(ref RowRandom random, int feature)
    {
        var u = random.Uniform();
        return Math.Log(u) - Math.Log(1 - u);
    }
}

/// <summary>Student's t, with degrees of freedom of each feature.</summary>
internal sealed class StudentRows : ElementDensity
{
    private readonly double[] degrees, reciprocalRoots, powers, constants;

    /// <param name="degrees">ν of each feature.</param>
    /// <param name="logGamma">log Γ, which .NET does not have.</param>
    public StudentRows(double[] degrees, Func<double, double> logGamma)
    {
        this.degrees = degrees;
        reciprocalRoots = Array.ConvertAll(degrees, nu => 1 / Math.Sqrt(nu));
        powers = Array.ConvertAll(degrees, nu => 0.5 * (nu + 1));
        constants = Array.ConvertAll(degrees, nu => Constant(nu, logGamma));
    }

    /// <summary>The logarithms of the least ν and of the largest.</summary>
    public static double Least { get; } = Math.Log(0.5);

    public static double Most { get; } = Math.Log(1e4);

    /// <summary>ν of its logarithm.</summary>
    public static double Degrees(double log) => Math.Exp(Math.Clamp(log, Least, Most));

    /// <summary>log p(0).</summary>
    public static double Constant(double nu, Func<double, double> logGamma) =>
        logGamma(0.5 * (nu + 1)) - logGamma(0.5 * nu) - (0.5 * Math.Log(nu * Math.PI));

    protected override double LogProb(double z, int feature, double epsilon)
    {
        var u = z * reciprocalRoots[feature];
        return constants[feature] - (powers[feature] * LogOnePlusSquare(u));
    }

    // polar, exact for every ν (Bailey, Mathematics of Computation 62, 1994)
    protected override double Draw(ref RowRandom random, int feature)
    {
        var nu = degrees[feature];
        var angle = 2 * Math.PI * random.Uniform();
        return Math.Cos(angle) * Math.Sqrt(nu * (Math.Pow(random.Uniform(), -2 / nu) - 1));
    }
}

/// <summary>Uniform in a box; minus infinity outside.</summary>
/// <param name="low">The lower edge of each feature.</param>
/// <param name="high">The upper edge.</param>
internal sealed class BoxRows(double low, double high) : ElementDensity
{
    private readonly double farthest = 4 * Math.Max(Math.Abs(low), Math.Abs(high));

    protected override double LogProb(double z, int feature, double epsilon)
    {
        // what rounding may put beyond an edge
        var slack = farthest * epsilon;
        return z >= low - slack && z <= high + slack ? -Math.Log(high - low) : double.IsNaN(z) ? double.NaN : double.NegativeInfinity;
    }

    protected override double Draw(ref RowRandom random, int feature) => low + ((high - low) * random.Uniform());
}
