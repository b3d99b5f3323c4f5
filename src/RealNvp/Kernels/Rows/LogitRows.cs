namespace RealNvp.Kernels;

/// <summary>z = logit(α + (1 − 2α)·x) of features; minus infinity as log-determinant outside of the domain.</summary>
/// <param name="at">The features.</param>
/// <param name="alpha">α.</param>
internal sealed unsafe class LogitRows(int[] at, double alpha) : RowStep
{
    private readonly double factor = 1 - (2 * alpha), logFactor = Math.Log(1 - (2 * alpha));

    public override void Run(in RowBlock block, bool inverse)
    {
        var x = block.X;
        // the numbers next to 0 and 1 in the dtype of the flow, as the layer has them
        var (tiny, epsilon) = (SmallestNormal.Of(block.Single), block.Epsilon);
        for (var row = 0; row < block.Rows; row++, x += block.Features)
        {
            double sum = 0;
            foreach (var i in at)
            {
                ref var value = ref x[i];
                sum += inverse ? Inverse(ref value) : Forward(ref value, tiny, epsilon);
                value = block.Rounded(value);
            }
            block.LogDet[row] += sum;
        }
    }

    private double Forward(ref double x, double tiny, double epsilon)
    {
        var p = (x * factor) + alpha;
        var outside = Math.Abs(p - 0.5) > 0.5 + (8 * epsilon);
        p = Math.Min(1 - (epsilon / 2), Math.Max(tiny, p));
        double logP = Math.Log(p), logQ = Math.Log(1 - p);
        x = logP - logQ;
        return outside ? double.NegativeInfinity : logFactor - logP - logQ;
    }

    private double Inverse(ref double z)
    {
        var (size, p) = (Math.Abs(z), 1 / (1 + Math.Exp(-z)));
        z = (p - alpha) / factor;
        // log p + log(1 − p), finite for every z
        return -size - (2 * Math.Log(1 + Math.Exp(-size))) - logFactor;
    }
}
