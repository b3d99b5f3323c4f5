using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>A standard normal that is rejected by a learned function, at most T − 1 times.</summary>
/// <param name="network">The logit of being accepted.</param>
/// <param name="normalizer">The mean of being accepted.</param>
/// <param name="tries">T.</param>
internal sealed unsafe class ResampledRows<T>(RowNetwork<T> network, RowNumbers normalizer, int tries) : RowDensity
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public override long Scratch => network.Scratch + RowScratch.Size<T>((long)RowBlock.Most * network.InputStride)
        + RowScratch.Size<T>((long)RowBlock.Most * network.OutputStride);

    public override void LogProb(in RowBlock block)
    {
        double total;
        normalizer.Read(block, &total);
        total = Math.Clamp(total, 1e-6, 1 - 1e-6);
        var logit = Logits(block);
        var logAlpha = (tries - 1) * Math.Log(1 - total);
        for (var row = 0; row < block.Rows; row++)
        {
            var z = block.X + ((nint)row * block.Features);
            double normal = -block.Features * HalfLogTwoPi, a = double.CreateTruncating(logit[(nint)row * network.OutputStride]);
            for (var i = 0; i < block.Features; i++) normal -= 0.5 * z[i] * z[i];
            var logSigmoid = Math.Min(a, 0) - Softplus(Math.Abs(a));
            var accepted = logSigmoid + Math.Log(1 - Math.Exp(logAlpha)) - Math.Log(total);
            var (most, least) = (Math.Max(accepted, logAlpha), Math.Min(accepted, logAlpha));
            block.LogDet[row] += normal + most + Softplus(most - least);
        }
    }

    public override void Sample(in RowBlock block, ref RowRandom random)
    {
        for (var row = 0; row < block.Rows; row++)
        {
            var one = block with { Rows = 1, X = block.X + ((nint)row * block.Features) };
            for (var t = 1; ; t++)
            {
                for (var i = 0; i < block.Features; i++) one.X[i] = block.Rounded(random.Normal());
                if (t == tries || random.Uniform() < 1 / (1 + Math.Exp(-double.CreateTruncating(Logits(one)[0])))) break;
            }
        }
    }

    private T* Logits(in RowBlock block)
    {
        var scratch = new RowScratch(block.Scratch);
        var input = scratch.Take<T>((long)RowBlock.Most * network.InputStride);
        var output = scratch.Take<T>((long)RowBlock.Most * network.OutputStride);
        RowColumns.Copy(block.X, block.Features, input, network.InputStride, block.Rows, block.Features);
        network.Run(input, block, scratch.Take(network.Scratch), output);
        return output;
    }
}
