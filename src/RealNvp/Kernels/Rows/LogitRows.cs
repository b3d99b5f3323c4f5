namespace RealNvp.Kernels;

/// <summary>z = logit(α + (1 − 2α)·x) of all features; minus infinity as log-determinant outside of the domain.</summary>
/// <param name="alpha">α.</param>
internal sealed unsafe class LogitRows(double alpha) : RowStep
{
    // the numbers next to 0 and 1 in float32, as the layer has them
    private const double Tiny = 1.1754943508222875e-38, Epsilon = 1.1920928955078125e-07;
    private readonly double factor = 1 - (2 * alpha), logFactor = Math.Log(1 - (2 * alpha));

    public override void Run(in RowBlock block, bool inverse)
    {
        var x = block.X;
        for (var row = 0; row < block.Rows; row++, x += block.Features)
        {
            double sum = 0;
            for (var i = 0; i < block.Features; i++) sum += inverse ? Inverse(ref x[i]) : Forward(ref x[i]);
            block.LogDet[row] += sum;
        }
    }

    private double Forward(ref float x)
    {
        var p = (x * factor) + alpha;
        var outside = Math.Abs(p - 0.5) > 0.5 + (8 * Epsilon);
        p = Math.Min(1 - (Epsilon / 2), Math.Max(Tiny, p));
        double logP = Math.Log(p), logQ = Math.Log(1 - p);
        x = (float)(logP - logQ);
        return outside ? double.NegativeInfinity : logFactor - logP - logQ;
    }

    private double Inverse(ref float z)
    {
        var (size, p) = (Math.Abs((double)z), 1 / (1 + Math.Exp(-(double)z)));
        z = (float)((p - alpha) / factor);
        // log p + log(1 − p), finite for every z
        return -size - (2 * Math.Log(1 + Math.Exp(-size))) - logFactor;
    }
}
