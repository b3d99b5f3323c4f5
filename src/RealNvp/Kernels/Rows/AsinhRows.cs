namespace RealNvp.Kernels;

/// <summary>z = c·asinh(x/c) for some features, which draws tails in.</summary>
/// <param name="at">The features.</param>
/// <param name="threshold">c.</param>
internal sealed unsafe class AsinhRows(int[] at, double threshold) : RowStep
{
    public override void Run(in RowBlock block, bool inverse)
    {
        var x = block.X;
        for (var row = 0; row < block.Rows; row++, x += block.Features)
        {
            double sum = 0;
            foreach (var i in at)
            {
                var u = inverse ? x[i] / threshold : Math.Asinh(x[i] / threshold);
                x[i] = block.Rounded(threshold * (inverse ? Math.Sinh(u) : u));
                // log cosh u = ½ log(1 + (x/c)²), for x whose square is no number too
                var size = Math.Abs(u);
                sum += size + Math.Log(1 + Math.Exp(-2 * size)) - Math.Log(2);
            }
            block.LogDet[row] += inverse ? sum : -sum;
        }
    }
}
