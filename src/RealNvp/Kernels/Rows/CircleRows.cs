namespace RealNvp.Kernels;

/// <summary>Turns some features, which are positions on circles, by shifts, and takes them back to [low, high). Volumes stay.</summary>
/// <param name="at">The features.</param>
/// <param name="low">The lower edge of each circle.</param>
/// <param name="high">The upper edge.</param>
/// <param name="shifts">The shift of each; null to take positions back to the circle alone, in both directions.</param>
internal sealed unsafe class CircleRows(int[] at, double low, double high, RowNumbers? shifts) : RowStep
{
    public override long Scratch => RowScratch.Size<double>(at.Length);

    public override void Run(in RowBlock block, bool inverse)
    {
        var x = block.X;
        var turns = new RowScratch(block.Scratch).Take<double>(at.Length);
        shifts?.Read(block, turns);
        for (var row = 0; row < block.Rows; row++, x += block.Features)
            for (var i = 0; i < at.Length; i++)
                x[at[i]] = block.Rounded(Wrapped(x[at[i]] + (shifts is null ? 0 : inverse ? -turns[i] : turns[i])));
    }

    private double Wrapped(double x)
    {
        if (x >= low && x < high) return x;
        var rest = (x - low) % (high - low);
        if (rest < 0) rest += high - low;
        return rest + low;
    }
}
