using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Onnx;

/// <summary>Layers, densities and networks of a user's have the rights of ours.</summary>
public class OnnxUserTests
{
    [Fact]
    public void A_layer_that_says_how_it_is_written_and_one_that_only_moves_values_are_exported()
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([2, 3], new Chain(new Turned(), new InvertedLayer(new Doubled()), new Doubled(), new Doubled()));
        using var session = new OnnxSession(flow.ToOnnx(new() { Outputs = OnnxOutputs.LogProb | OnnxOutputs.Encode }));
        var x = randn(4, 2, 3);
        var results = session.Run(("x", x));
        results["z"].allclose(flow.Encode(x)).Should().BeTrue();
        results["log_prob"].flatten().allclose(flow.LogProb(x)).Should().BeTrue();
    }

    [Fact]
    public void A_part_that_does_not_say_it_is_named_with_its_place()
    {
        using var layer = new Flow([2], new Chain(new Permutation([2], [1, 0]), new Silent()));
        ((Action)(() => layer.ToOnnx())).Should().Throw<OnnxExportException>()
            .WithMessage("Flow.ToOnnx: bijection.layers.1 (Silent) *IOnnxBijection in Silent*");
        using var network = new Flow([2], new AdditiveCouplingLayer([2], Mask.FirstHalf(2), nn.Sequential(nn.Linear(1, 3), nn.GELU(),
            nn.Linear(3, 1))));
        ((Action)(() => network.ToOnnx())).Should().Throw<OnnxExportException>()
            .WithMessage("Flow.ToOnnx: bijection.conditioner.1 (GELU) *IOnnxNetwork in GELU*");
        using var density = new Flow([2], new Permutation([2], [1, 0]), new SilentDensity());
        ((Action)(() => density.ToOnnx())).Should().Throw<OnnxExportException>()
            .WithMessage("Flow.ToOnnx: base_density (SilentDensity) *IOnnxDensity in SilentDensity*");
        // a density is not needed to encode
        density.ToOnnx(new() { Outputs = OnnxOutputs.Encode }).Outputs.Keys.Should().Equal("z");
    }

    [Fact]
    public void A_convolution_in_float64_and_a_differential_equation_are_refused_with_the_part_and_its_place_by_each_way_to_a_graph()
    {
        using var glow = new GlowModel(GlowOptions.Digits8x8 with { Hidden = 4, Layers = 1 }, seed: 1);
        using var image = new RealNvpModel(RealNvpOptions.Digits8x8 with { Hidden = 4 }, seed: 1);
        foreach (var flow in new FlowModel[] { glow, image })
            ((Action)(() => flow.ToOnnx(new() { Dtype = float64 }))).Should().Throw<OnnxExportException>()
                .WithMessage($"{flow.GetType().Name}.ToOnnx: bijection.layers.* (*) has convolutions*float32 alone*");
        using var mine = new Flow([1, 2, 2], new AdditiveCouplingLayer([1, 2, 2], Mask.Checkerboard(2, 2), nn.Sequential(
            nn.Conv2d(1, 1, 3, padding: 1))));
        ((Action)(() => mine.ToOnnx(new() { Dtype = float64 }))).Should().Throw<OnnxExportException>()
            .WithMessage("Flow.ToOnnx: bijection.conditioner*0 (Conv2d) has convolutions*");
        using var solved = new FfjordModel(FfjordOptions.Toy2D, seed: 1);
        ((Action)(() => solved.ToOnnx())).Should().Throw<OnnxExportException>()
            .WithMessage("FfjordModel.ToOnnx: bijection.layers.* (ContinuousLayer) solves a differential equation*has no graph. Take *");

        // without a flow around it, a part has its name and no place
        var graph = new OnnxGraph("part", float64);
        var x = graph.Input("x", [1, 2, 2]);
        ((Action)(() => mine.Bijection.ToOnnx(x))).Should().Throw<OnnxExportException>().WithMessage("Conv2d has convolutions*");
        ((Action)(() => x.Convolve(ones(1, 1, 1, 1)))).Should().Throw<OnnxExportException>().WithMessage("The graph has convolutions*");
        // and nothing that was refused is left behind in the names of what follows
        (x + 1).Name.Should().StartWith("Add_");
    }

    [Fact]
    public void The_modules_of_TorchSharp_that_are_known_compute_the_same()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        manual_seed(1);
        nn.Module<Tensor, Tensor>[] networks =
        [
            nn.Sequential(nn.Linear(4, 5), nn.LeakyReLU(0.3), nn.LayerNorm(5), nn.ELU(0.7), nn.Identity(), nn.Dropout(0.5)),
            nn.Sequential(nn.Linear(4, 5, hasBias: false), nn.SELU(), nn.BatchNorm1d(5), nn.SiLU(), nn.Softplus(beta: 2), nn.Sigmoid()),
            nn.Sequential(nn.Tanh(), nn.ReLU(), nn.AlphaDropout(), nn.Linear(4, 2)),
            nn.Sequential(nn.Conv2d(2, 3, 3, padding: 1), nn.BatchNorm2d(3), nn.Dropout2d(), nn.Conv2d(3, 2, 1), nn.Flatten()),
        ];
        foreach (var network in networks)
        {
            foreach (var (name, buffer) in network.named_buffers())
                if (name.EndsWith("mean", StringComparison.Ordinal) || name.EndsWith("var", StringComparison.Ordinal)) buffer.uniform_(0.5,
                    1.5);
            network.eval();
            var x = network.children().First() is TorchSharp.Modules.Conv2d ? randn(3, 2, 4, 4) : randn(3, 4).mul(3);
            var graph = new OnnxGraph("network");
            graph.AddOutput("y", OnnxNetworks.Write(network, graph.Input("x", EventShape.Create(x.shape.AsSpan(1)))));
            using var session = new OnnxSession(graph);
            var own = network.call(x);
            OnnxGaps.Of(network.GetName(), session.Run(("x", x))["y"], own, own).Should().BeNull();
        }
    }

    [Fact]
    public void What_a_graph_cannot_hold_is_refused_where_it_is_made()
    {
        var (graph, other) = (new OnnxGraph("a"), new OnnxGraph("b"));
        var x = graph.Input("x", [3]);
        ((Action)(() => graph.Input("x", [2]))).Should().Throw<ArgumentException>().WithMessage("*'x' already*");
        ((Action)(() => other.AddOutput("y", x))).Should().Throw<ArgumentException>().WithMessage("*another graph*");
        ((Action)(() => graph.ToArray())).Should().Throw<InvalidOperationException>().WithMessage("*no output*");
        ((Action)(() => _ = x + graph.Input("y", [2]))).Should().Throw<ArgumentException>().WithMessage("*do not meet*(N, 3)*(N, 2)*");
        ((Action)(() => _ = x + x.To(float64))).Should().Throw<ArgumentException>().WithMessage("*dtypes*");
        ((Action)(() => x.Moved(t => t.add(1)))).Should().Throw<ArgumentException>().WithMessage("A rearrangement must leave*");
        ((Action)(() => graph.Loop(0, [x], (_, c) => (c, null)))).Should().Throw<ArgumentOutOfRangeException>();
    }

    private sealed class Doubled : Bijection, IOnnxBijection
    {
        public Doubled() : base(nameof(Doubled)) => RegisterComponents();

        public (OnnxValue Value, OnnxValue? LogDet) WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse)
        {
            var log = input.EventShape.NumElements * Math.Log(2);
            return inverse ? (input * 0.5, input.Graph.Constant(-log)) : (input * 2, input.Graph.Constant(log));
        }

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) =>
            (x.mul(2), full(x.shape[0], x[0].numel() * Math.Log(2)));

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) =>
            (z.mul(0.5), full(z.shape[0], -z[0].numel() * Math.Log(2)));
    }

    private sealed class Turned : Bijection
    {
        public Turned() : base(nameof(Turned)) => RegisterComponents();

        public override bool MovesValues => true;

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => (x.flip(2), null);

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (z.flip(2), null);
    }

    private sealed class Silent : Bijection
    {
        public Silent() : base(nameof(Silent)) => RegisterComponents();

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => (x, null);

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (z, null);
    }

    private sealed class SilentDensity : Density
    {
        public SilentDensity() : base(nameof(SilentDensity), [2]) => RegisterComponents();

        protected override Tensor LogProbCore(Tensor z, Tensor? context) => z.sum(1);

        protected override Tensor SampleCore(long count, double temperature, ScalarType dtype, Device device, Generator? generator,
            Tensor? context) => zeros(count, 2, dtype: dtype);
    }
}
