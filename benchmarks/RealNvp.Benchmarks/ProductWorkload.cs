using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks;

/// <summary>
/// The product of 4096×256 and 256×256 numbers, as each library of this process multiplies it: what a machine's best product is, which the
/// cases stand beside. The peers' library is asked in the same run.
/// </summary>
internal sealed class ProductWorkload : IWorkload
{
    public const string Name = "product_4096x256x256";

    public const double GigaFlop = 2e-9 * 4096 * 256 * 256;

    private readonly Tensor rows = randn(4096, 256), weights = randn(256, 256), image, filters;

    public ProductWorkload()
    {
        // channels last: the same numbers, row after row, which a 1×1 convolution of oneDNN multiplies
        using var scope = NewDisposeScope();
        image = rows.reshape(1, 64, 64, 256).permute(0, 3, 1, 2).DetachFromDisposeScope();
        filters = weights.t().reshape(256, 256, 1, 1).contiguous().DetachFromDisposeScope();
    }

    public static BenchmarkCase Case { get; } = new(Name, 4096, GigaFlop, () => throw new NotSupportedException("A product has no flow."),
        () => throw new NotSupportedException("A product has no batch.")) { Phases = ["mkl", "onednn", "peer"] };

    public long Parameters => weights.numel();

    public void Run(string phase)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        if (phase == "mkl") rows.mm(weights);
        else if (phase == "onednn") nn.functional.conv2d(image, filters);
    }

    public long? PeakOf(string phase) => null;

    public void Dispose()
    {
        rows.Dispose();
        weights.Dispose();
        image.Dispose();
        filters.Dispose();
    }
}
