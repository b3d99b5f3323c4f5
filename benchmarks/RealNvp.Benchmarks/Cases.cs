using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks;

/// <summary>One workload: a flow, its data, and the arithmetic of one log-probability in GFLOP.</summary>
internal sealed record Case(string Name, int Batch, double GigaFlop, Func<Flow> Make, Func<Tensor> Data);

/// <summary>The workloads. Sizes are those at which the Python libraries are timed, so that tables compare.</summary>
internal static class Cases
{
    public static IReadOnlyList<Case> All { get; } =
    [
        new("toy2d", 256, 256 * 2e-9 * 8 * ((1 * 64) + (64 * 64) + (64 * 2)), () => Vector(2, 8, 64), () => randn(256, 2)),
        new("tab_affine", 512, Tabular(512), () => Vector(43, 10, 256), () => randn(512, 43)),
        new("tab_affine", 4096, Tabular(4096), () => Vector(43, 10, 256), () => randn(4096, 43)),
        new("img_realnvp", 16, 26.47, Image, () => randint(256, [16, 3, 32, 32], dtype: float32)),
    ];

    private static double Tabular(int batch) => batch * 2e-9 * 10 * ((21.5 * 256) + (256 * 256) + (256 * 43));

    /// <summary>Affine couplings with plain networks of two hidden layers, as nflows and its kin are timed.</summary>
    private static Flow Vector(long features, int couplings, long hidden)
    {
        var layers = new List<Bijection>();
        for (var i = 0; i < couplings; i++)
        {
            var mask = i % 2 == 0 ? Mask.Alternating(features) : !Mask.Alternating(features);
            var kept = mask.Kept.ToArray().Count(k => k);
            Sequential net = nn.Sequential(nn.Linear(kept, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 2 * (features - kept)));
            layers.Add(new AffineCouplingLayer([features], mask, net));
        }
        return new Flow([features], new Chain([.. layers]));
    }

    /// <summary>The multi-scale model of chrischute/real-nvp: 2 scales, 4 blocks, 32 channels, without flow batch normalization.</summary>
    private static RealNvpModel Image() => new(RealNvpOptions.Image([3, 32, 32], scales: 2, blocks: 4, hidden: 32) with
    {
        FlowBatchNorm = false,
        MaskAsInput = false,
        ConcatenatedRelu = true,
        Order = AffineOrder.ShiftThenScale,
    });
}
