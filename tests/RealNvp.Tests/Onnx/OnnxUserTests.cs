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
