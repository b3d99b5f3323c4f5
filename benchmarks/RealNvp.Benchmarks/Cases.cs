using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks;

/// <summary>The workloads.</summary>
public static class Cases
{
    /// <summary>All of them, small ones first.</summary>
    public static IReadOnlyList<BenchmarkCase> All { get; } =
    [
        Vector("toy2d_affine", 2, 8, 64, 256, mask => Affine(2, mask, 64)),
        Vector("tab_affine", 43, 10, 256, 512, mask => Affine(43, mask, 256)),
        Vector("tab_affine", 43, 10, 256, 4096, mask => Affine(43, mask, 256)),
        Vector("tab_rqs", 43, 10, 256, 512, mask => Spline(43, mask, 256), parameters: 23),
        Vector("tab_rqs", 43, 10, 256, 4096, mask => Spline(43, mask, 256), parameters: 23),
        new("nsf_b512", 512, 512 * OfRow(SplineFlowOptions.Tabular(10)), () => Awake(SplineFlowOptions.Tabular(10).NewModel(seed: 0)),
            () => randn(512, 10)),
        new("maf_b512", 512, Made(512), () => Autoregressive(inverse: false), () => randn(512, 43)),
        new("iaf_b512", 512, Made(512), () => Autoregressive(inverse: true), () => randn(512, 43)),
        // 14 evaluations of three hidden layers of 64, with two derivatives
        new("ffjord2d_b100", 100, 0.071, () => Continuous(new ConcatSquashMlp(2, 64, 3), 1e-5), () => TwoMoons(100)),
        new("cnf2d_b100", 100, 0.4451, () => Continuous(new TimeMlp([2], 64, 3, timeFrequencies: 3), 1e-6), () => TwoMoons(100)),
        new("img_realnvp_b16", 16, 26.4684, ImageRealNvp, () => randint(256, [16, 3, 32, 32], dtype: float32)),
        new("resflow2d_b500", 500, 0.9953, () => ResidualFlow(4), () => TwoMoons(500)),
        new("resflow2d_3_b500", 500, 0.6677, () => ResidualFlow(3), () => TwoMoons(500)),
        // the arithmetic is that of one value of each network: the presets need many, and their products with Jacobians
        Grey("residual28_b16", 0.8863, ResidualFlowOptions.Grey28x28),
        Grey("ffjord28_b16", 0.4913, FfjordOptions.Grey28x28),
        Glow("glow32_b16", 8) with { Reversible = true },
        Glow("glow32_k32_b16", 32) with { Phases = ["train"], Reversible = true },
        .. Rows("row_toy2d", 2, RealNvpOptions.Toy2D),
        .. Rows("row_affine", 10, RealNvpOptions.Tabular(10)),
        .. Rows("row_rqs2d", 2, SplineFlowOptions.Toy2D),
        .. Rows("row_rqs", 10, SplineFlowOptions.Tabular(10)),
        .. Rows("row_maf", 10, MafOptions.Tabular(10)),
        .. Rows("row_iaf", 10, IafOptions.Tabular(10)),
    ];

    /// <summary>The case of a name, of those that are timed, or the product that a machine is measured by.</summary>
    public static BenchmarkCase Find(string name) => All.Append(ProductWorkload.Case).FirstOrDefault(c => c.Name == name)
        ?? throw new ArgumentException($"There is no case '{name}', but {string.Join(", ", All.Select(c => c.Name))}.", nameof(name));

    /// <summary>A preset that answers one row, four and sixteen, as a service asks it, on one thread, by tensors, in spans, and by the
    /// scorer without libtorch, a block of whose rows stands beside; and how long a program takes from its start to its first
    /// answer.</summary>
    private static IEnumerable<BenchmarkCase> Rows(string name, long features, ModelOptions options)
    {
        var gigaFlop = OfRow(options);
        foreach (var rows in (int[])[1, 4, 16, 96])
            yield return new($"{name}_b{rows}", rows, rows * gigaFlop, () => Awake(options.NewModel(seed: 0)), () => randn(rows, features))
            {
                Phases = rows > 16 ? ["scorer", "read"] : ["logprob", "encode", "decode", "sample", "span", "collecting", "scorer",
                    "scorer-sample", "read", .. rows == 1 ? (string[])["cold"] : []],
                Threads = 1,
                Repeats = 25,
            };
    }

    /// <summary>The GFLOP of the matrices of a preset, for a row.</summary>
    private static double OfRow(ModelOptions options)
    {
        using var scope = NewDisposeScope();
        using var flow = options.NewModel(seed: 0);
        return 2e-9 * flow.parameters().Where(p => p.dim() == 2).Sum(p => p.numel());
    }

    /// <summary>Couplings between alternating masks, each with a network of two hidden layers, as nflows and its kin are timed.</summary>
    private static BenchmarkCase Vector(string name, long features, int couplings, long hidden, int batch, Func<Mask, Bijection> coupling,
        int parameters = 2)
    {
        var half = features / 2.0;
        return new($"{name}_b{batch}", batch,
            batch * 2e-9 * couplings * ((half * hidden) + (hidden * hidden) + (hidden * half * parameters)), () =>
        {
            var layers = new List<Bijection>();
            for (var i = 0; i < couplings; i++)
            {
                var mask = i % 2 == 0 ? Mask.Alternating(features) : !Mask.Alternating(features);
                layers.Add(coupling(mask));
            }
            return Awake(new Flow([features], new Chain([.. layers])));
        }, () => randn(batch, features));
    }

    private static AffineCouplingLayer Affine(long features, Mask mask, long hidden) =>
        new([features], mask, size => new Mlp(size.Inputs, size.Outputs, hidden));

    private static CouplingLayer Spline(long features, Mask mask, long hidden) =>
        new([features], mask, new SplineTransformer(bins: 8, bound: 3), size => new Mlp(size.Inputs, size.Outputs, hidden));

    /// <summary>The masked network of 43 features, two hidden layers of 256 and two parameters, five times.</summary>
    private static double Made(int batch) => batch * 2e-9 * 5 * ((43 * 256) + (256 * 256) + (256 * 86));

    private static Flow Autoregressive(bool inverse)
    {
        var layers = new List<Bijection>();
        for (var i = 0; i < 5; i++)
        {
            var layer = new AutoregressiveLayer(new AffineTransformer([1]),
                new Made(43, 2, new MadeOptions { Hidden = 256, Blocks = 1, Residual = false }));
            layers.Add(inverse ? new InvertedLayer(layer) : layer);
            layers.Add(new Permutation([43], [.. Enumerable.Range(0, 43).Reverse().Select(i => (long)i)]));
        }
        return Awake(new Flow([43], new Chain([.. layers])));
    }

    /// <summary>Two half circles with noise, each feature with mean 0 and deviation 1, as the peers' continuous and residual flows get
    /// them.</summary>
    /// <returns>A new tensor, (count, 2).</returns>
    public static Tensor TwoMoons(long count)
    {
        using var scope = NewDisposeScope();
        var (angle, upper) = (rand(count) * Math.PI, rand(count) < 0.5);
        var x = stack([where(upper, angle.cos(), 1 - angle.cos()), where(upper, angle.sin(), 0.5 - angle.sin())], 1)
            + (0.05 * randn(count, 2));
        return ((x - x.mean([0])) / x.std(0)).MoveToOuterDisposeScope();
    }

    /// <summary>A continuous flow with the initial weights of the peers, whose last layer does not begin at zero.</summary>
    public static Flow Continuous(Dynamics dynamics, double tolerance)
    {
        using (no_grad())
            foreach (var parameter in dynamics.parameters())
                if (parameter.count_nonzero().item<long>() == 0) parameter.uniform_(-0.125, 0.125);
        return new Flow([2], new ContinuousLayer(dynamics, [2], new ContinuousOptions { Tolerance = tolerance }));
    }

    /// <summary>The multi-scale model of chrischute/real-nvp: 2 scales, 4 blocks, 32 channels, without flow batch normalization.</summary>
    private static Flow ImageRealNvp() => Awake(new RealNvpModel(RealNvpOptions.Image([3, 32, 32], scales: 2, blocks: 4, hidden: 32) with
    {
        FlowBatchNorm = false,
        MaskAsInput = false,
        ConcatenatedRelu = true,
        Order = AffineOrder.ShiftThenScale,
        Statistics = BatchStatistics.Current,
    }));

    /// <summary>Ten residual blocks with LipSwish and a bound of 0.9: 2-128-128-128-128-2, as in residual-flows, or with three hidden
    /// layers, as in normflows; the log-determinant is exact here. The GFLOP of the case are those of the products of one value.</summary>
    private static Flow ResidualFlow(int hiddenLayers) => Awake(new Flow([2], new Chain([.. Enumerable.Range(0, 10)
        .Select(_ => new ResidualLayer([2], new LipschitzMlp(2, 2, 128, hiddenLayers)))])));

    /// <summary>A preset for 28×28 bytes.</summary>
    private static BenchmarkCase Grey(string name, double gigaFlop, ModelOptions options) => new(name, 16, gigaFlop, () =>
    {
        var flow = Awake(options.NewModel(seed: 0));
        // the first batch sets each ActNorm; it is no part of a step
        using (no_grad()) using (NewDisposeScope()) flow.NegativeLogLikelihood(randint(256, [16, 1, 28, 28], dtype: float32));
        return flow;
    }, () => randint(256, [16, 1, 28, 28], dtype: float32));

    /// <summary>Glow as rosinality's: 3 scales of K steps, 128 channels, on images that need no dequantization.</summary>
    private static BenchmarkCase Glow(string name, int steps) => new(name, 16, 3.8517 * steps / 8, () =>
    {
        var flow = Awake(new GlowModel(new GlowOptions { Shape = [3, 32, 32], Levels = 0, Scales = 3, Layers = steps, Hidden = 128 }));
        // the first batch sets each ActNorm; it is no part of a step
        using (no_grad()) using (NewDisposeScope()) flow.NegativeLogLikelihood(rand(16, 3, 32, 32) - 0.5);
        return flow;
    }, () => rand(16, 3, 32, 32) - 0.5);

    /// <summary>New networks end in zeros, and a flow is the identity; with small
    /// random numbers instead it computes what a trained one does.</summary>
    private static Flow Awake(Flow flow)
    {
        using var scope = NewDisposeScope();
        using (no_grad())
            foreach (var parameter in flow.parameters())
                if (parameter.dim() > 1 && parameter.count_nonzero().item<long>() == 0) parameter.normal_(0, 0.01);
        return flow;
    }
}
