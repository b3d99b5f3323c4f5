using RealNvp.Onnx;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Onnx;

/// <summary>What whole flows give in OnnxRuntime beside the values of their layers.</summary>
public class OnnxFlowTests
{
    [Theory, InlineData(0), InlineData(1), InlineData(40)]
    public void The_number_of_rows_is_free(int rows)
    {
        using var scope = NewDisposeScope();
        foreach (var name in new[] { "NICE, Tabular", "MAF, mixture, plain blocks", "Spline, Toy2D" })
        {
            using var model = PresetTable.All[name].NewModel();
            RandomWeights.Draw(model, 2, 0.05);
            using var session = new OnnxSession(model.ToOnnx(new() { Outputs = OnnxOutputs.Decode }));
            var z = randn(model.LatentShape.WithBatch(rows));
            var context = PresetTable.Context(PresetTable.All[name], rows)?.to(float32);
            var x = session.Run(("z", z), ("context", context))["x"];
            x.shape.Should().Equal(model.InputShape.WithBatch(rows));
            if (model.Bijection.Dequantizes) continue;
            OnnxGaps.Of("x", x, model.Decode(z, context), model.Decode(z, context)).Should().BeNull();
        }
    }

    [Fact]
    public void A_flow_in_training_mode_is_written_as_it_is_in_evaluation()
    {
        using var scope = NewDisposeScope();
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(3) with { Layers = 2, Hidden = 6, FlowBatchNorm = true }, seed: 1);
        RandomWeights.Draw(flow, 2);
        flow.train();
        using var session = new OnnxSession(flow.ToOnnx());
        flow.training.Should().BeTrue();
        var x = randn(4, 3);
        var own = flow.LogProb(x);
        OnnxGaps.Of("log_prob", session.Run(("x", x))["log_prob"], own, own).Should().BeNull();
    }

    [Theory, InlineData("Tabular, context"), InlineData("Digits8x8"), InlineData("MAF, SplineTabular")]
    public void The_precision_in_which_a_flow_computes_here_does_not_matter_to_its_graph(string name)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var model = PresetTable.All[name].NewModel(seed: 1);
        RandomWeights.Draw(model, 2, 0.05);
        model.eval();
        var plain = model.ToOnnx().ToArray();
        model.ConditionerDtype = bfloat16;
        model.ToOnnx().ToArray().Should().Equal(plain);
        model.ConditionerDtype = null;
        model.to(float64);
        var wide = model.ToOnnx();
        wide.Inputs["x"].Type.Should().Be(float32);
        using (var session = new OnnxSession(wide)) session.Inputs["x"].ElementType.Should().Be<float>();
        // weights that bfloat16 holds are in the file what they are
        model.to(bfloat16);
        var narrow = model.ToOnnx().ToArray();
        model.to(float32);
        model.ToOnnx().ToArray().Should().Equal(narrow);
    }

    [Fact]
    public void NaN_makes_NaN_in_its_row_alone_and_what_is_outside_of_the_support_has_no_density()
    {
        using var scope = NewDisposeScope();
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(2) with { Layers = 2, Hidden = 6 }, seed: 1);
        using var session = new OnnxSession(flow.ToOnnx());
        var scores = session.Run(("x", tensor(new float[] { 0, 0, float.NaN, 0, 1, 1 }, [3, 2])))["log_prob"].data<float>().ToArray();
        scores.Select(float.IsNaN).Should().Equal(false, true, false);
        using var boxed = new Flow([1], new LogitTransform(0.05, [1]));
        using var second = new OnnxSession(boxed.ToOnnx());
        second.Run(("x", tensor(new float[] { 0.5f, 2 }, [2, 1])))["log_prob"].data<float>().ToArray()[1].Should()
            .Be(float.NegativeInfinity);
    }

    [Fact]
    public void NaN_and_infinity_are_lost_in_no_layer_and_in_no_network_of_a_context()
    {
        using var scope = NewDisposeScope();
        using var logit = new Flow([2], new LogitTransform(0.05, [2]));
        using var limited = new Flow([2], new AffineCouplingLayer([2], Mask.FirstHalf(2), new ResidualMlp(1, 2, 4, 1, 1, inputLimit: 2)));
        RandomWeights.Draw(limited, 2);
        using var integers = new Flow([2], new UniformDequantization(8, [2]));
        foreach (var bad in new[] { float.NaN, float.PositiveInfinity })
        {
            var (x, good) = (tensor(new[] { 0.5f, 0.5f, 0.5f, bad }, [2, 2]), tensor(new[] { 0.5f, 0.5f, 0.5f, 0.5f }, [2, 2]));
            var (c, fine) = (tensor(new[] { 0.5f, bad }, [2, 1]), tensor(new[] { 0.5f, 0.5f }, [2, 1]));
            foreach (var (flow, data, context, noise) in new[] { (logit, x, fine, good), (limited, x, fine, good),
                (limited, good, c, good), (integers, x, fine, good), (integers, good, fine, x) })
            {
                using var session = new OnnxSession(flow.ToOnnx(new() { Outputs = OnnxOutputs.LogProb | OnnxOutputs.Encode }));
                var results = session.Run(("x", data), ("context", context), ("noise", noise));
                results["log_prob"].isnan().data<bool>().ToArray().Should().Equal(false, true);
                results["z"].isnan().data<bool>().ToArray().Should().Equal(false, false, true, true);
            }
        }
    }

    [Fact]
    public void Labels_images_and_raw_numbers_are_contexts_in_a_graph_too()
    {
        using var scope = NewDisposeScope();
        AffineCouplingLayer Layer(long size) => new([3], Mask.Alternating(3), s => new Mlp(s.Inputs, s.Outputs, 6, 1, s.ContextSize),
            contextSize: size);
        using var labels = new Flow([3], Layer(4), null, new LabelEncoder(4));
        using var vectors = new Flow([3], Layer(2), new DiagonalNormal([3], 2, 5), new LabelEncoder(4, 2));
        using var image = new Flow([3], Layer(2), null, new NetworkEncoder([1, 3, 3], 2, nn.Sequential(nn.Conv2d(1, 2, 3, padding: 1),
            nn.ReLU(), nn.Flatten(), nn.Linear(18, 2))));
        var standard = new ContextStandardization(2);
        standard.Fit(randn(9, 2).mul(5).add(100));
        using var numbers = new Flow([3], Layer(2), null, standard);
        var label = tensor(new long[] { 0, 3, 1, 3, 2 });
        foreach (var (flow, context) in new[] { (labels, label), (vectors, label), (image, randn(5, 1, 3, 3)),
            (numbers, randn(5, 2).mul(5).add(100)) })
        {
            RandomWeights.Draw(flow.Bijection, 2);
            using var session = new OnnxSession(flow.ToOnnx());
            session.Inputs["context"].ElementDataType.Should().Be(context.dtype == int64
                ? Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.Int64 : Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.Float);
            var x = randn(5, 3);
            var own = flow.LogProb(x, context);
            OnnxGaps.Of("log_prob", session.Run(("x", x), ("context", context))["log_prob"], own, own).Should().BeNull();
        }
    }

    [Fact]
    public void Nodes_can_be_added_to_the_graph_of_a_flow()
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([2], new DiagonalScaling([2]));
        var graph = flow.ToOnnx();
        graph.AddOutput("score", -graph.Outputs["log_prob"]);
        graph.AddOutput("is_anomaly", graph.Outputs["score"].Greater(3).To(int64));
        using var session = new OnnxSession(graph);
        var results = session.Run(("x", tensor(new float[] { 0, 0, 5, 5 }, [2, 2])));
        results["score"].data<float>().ToArray().Should().Equal(results["log_prob"].data<float>().ToArray().Select(v => -v));
        results["is_anomaly"].data<long>().ToArray().Should().Equal(0, 1);
        session.Outputs["score"].Dimensions.Should().Equal(-1, 1);
    }

    [Fact]
    public void The_noise_of_several_layers_is_as_many_inputs()
    {
        using var scope = NewDisposeScope();
        using var chain = new Chain(new SubsetLayer([4], [0, 1], new UniformDequantization(4, [2])),
            new SubsetLayer([4], [2, 3], new VariationalDequantization([2], 8, couplings: 2, hidden: 4)));
        using var flow = new Flow([4], chain);
        var graph = flow.ToOnnx();
        graph.Inputs.Keys.Should().Equal("x", "noise", "noise_1");
    }

    [Fact]
    public void The_noise_of_a_variational_dequantization_comes_out_as_in_the_library()
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var layer = new VariationalDequantization([2], 8, couplings: 2, hidden: 4);
        RandomWeights.Draw(layer, 2);
        using var flow = new Flow([2], layer);
        var x = tensor(new float[] { 0, 7, 3, 4, 1, 1 }, [3, 2]);
        var epsilon = finfo(float32).eps;
        using var random = Layers.PassState.Seed(3);
        var noise = Noise.Uniform(x.shape, float32, CPU, Layers.PassState.Current!.Generator, epsilon, 1 - epsilon);
        using var session = new OnnxSession(flow.ToOnnx(new() { Outputs = OnnxOutputs.LogProb | OnnxOutputs.Encode }));
        var results = session.Run(("x", x), ("noise", noise));
        var (z, logProb) = (flow.Encode(x, seed: 3), flow.LogProb(x, seed: 3));
        OnnxGaps.Of("z", results["z"], z, z).Should().BeNull();
        OnnxGaps.Of("log_prob", results["log_prob"], logProb, logProb).Should().BeNull();
        using var back = new OnnxSession(flow.ToOnnx(new() { Outputs = OnnxOutputs.Decode | OnnxOutputs.LogDet }));
        var (x2, logDet) = layer.Inverse(z);
        var decoded = back.Run(("z", z));
        OnnxGaps.Of("x", decoded["x"], x2, x2).Should().BeNull();
        OnnxGaps.Of("log_det", decoded["log_det"], logDet, logDet).Should().BeNull();
    }
}
