using System.Text.Json;
using RealNvp.Onnx;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Onnx;

/// <summary>What is in a file, read by a parser that is not ours; and that a file is written whole or not at all.</summary>
public class OnnxFileTests
{
    private static readonly OnnxOutputs fromData = OnnxOutputs.LogProb | OnnxOutputs.Encode | OnnxOutputs.LogDet;

    [Fact]
    public void Another_parser_reads_what_was_written()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Tabular(3) with { ContextSize = 2, Layers = 2, Hidden = 5 }, seed: 1);
        flow.Info = flow.Info with { Columns = ["a", "b", "ü"], ContextColumns = ["u", "v"] };
        var model = global::Onnx.ModelProto.Parser.ParseFrom(flow.ToOnnx(new() { Outputs = fromData }).ToArray());
        model.IrVersion.Should().Be(8);
        model.OpsetImport.Should().ContainSingle().Which.Version.Should().Be(18);
        model.ProducerName.Should().Be("RealNvp");
        model.ProducerVersion.Should().Be(StateFile.Library);
        Described(model.Graph.Input).Should().Equal("x (N, 3) 1", "context (N, 2) 1");
        Described(model.Graph.Output).Should().Equal("log_prob (N, 1) 1", "z (N, 3) 1", "log_det (N, 1) 1");
        var about = model.MetadataProps.ToDictionary(m => m.Key, m => m.Value);
        about["realnvp.model"].Should().Be("RealNvpModel");
        about["realnvp.library"].Should().Be(StateFile.Library);
        about["realnvp.event_shape"].Should().Be("[3]");
        about["realnvp.latent_shape"].Should().Be("[3]");
        about["realnvp.context_shape"].Should().Be("[2]");
        about["realnvp.outputs"].Should().Be("LogProb, Encode, LogDet");
        JsonSerializer.Deserialize<string[]>(about["realnvp.columns"]).Should().Equal("a", "b", "ü");
        JsonSerializer.Deserialize<string[]>(about["realnvp.context_columns"]).Should().Equal("u", "v");
        about["realnvp.likelihood"].Should().Be("exact");
        about.Should().ContainKey("realnvp.options");
        // each node reads what stands before it, and every constant has the bytes of its shape
        var known = model.Graph.Initializer.Select(i => i.Name).Concat(model.Graph.Input.Select(i => i.Name)).ToHashSet();
        foreach (var node in model.Graph.Node)
        {
            node.Input.Should().OnlyContain(i => known.Contains(i));
            known.UnionWith(node.Output);
        }
        foreach (var constant in model.Graph.Initializer)
            constant.RawData.Length.Should().Be((int)constant.Dims.Aggregate(1L, (n, d) => n * d) * (constant.DataType == 1 ? 4 : 8));
    }

    [Fact]
    public void The_same_flow_gives_the_same_bytes_to_a_file_a_stream_and_an_array()
    {
        using var folder = new TemporaryFolder();
        using var flow = new SplineFlowModel(SplineFlowOptions.Tabular(2) with { Layers = 2, Hidden = 4 }, seed: 1);
        var path = folder.At("flow.onnx");
        flow.ExportOnnx(path);
        using var stream = new MemoryStream();
        flow.ExportOnnx(stream);
        var bytes = flow.ToOnnx().ToArray();
        File.ReadAllBytes(path).Should().Equal(bytes);
        stream.ToArray().Should().Equal(bytes);
    }

    [Fact]
    public void An_export_that_fails_leaves_the_file_that_is_there()
    {
        using var folder = new TemporaryFolder();
        var path = folder.At("flow.onnx");
        File.WriteAllText(path, "mine");
        using var flow = new FfjordModel(FfjordOptions.Toy2D, seed: 1);
        var export = () => flow.ExportOnnx(path);
        export.Should().Throw<OnnxExportException>()
            .WithMessage("FfjordModel.ExportOnnx: bijection*(ContinuousLayer) *");
        File.ReadAllText(path).Should().Be("mine");
        Directory.GetFiles(folder.Path).Should().HaveCount(1);
        using var closed = new MemoryStream();
        closed.Close();
        ((Action)(() => flow.ExportOnnx(closed))).Should().Throw<ArgumentException>().WithMessage("The stream is closed*");
    }

    [Fact]
    public void A_file_that_Protocol_Buffers_cannot_count_is_refused()
    {
        ((Action)(() => OnnxFile.Require(3_000_000_000))).Should().Throw<OnnxExportException>()
            .WithMessage("*3,000,000,000 bytes*at most 2,147,483,647*");
        OnnxFile.Require(int.MaxValue);
    }

    [Theory, InlineData(OnnxOutputs.None), InlineData(OnnxOutputs.LogDet), InlineData(OnnxOutputs.Decode | OnnxOutputs.LogProb),
        InlineData((OnnxOutputs)16)]
    public void Outputs_that_do_not_fit_together_are_refused(OnnxOutputs outputs)
    {
        using var flow = new Flow([2], new Permutation([2], [1, 0]));
        var export = () => flow.ToOnnx(new() { Outputs = outputs });
        export.Should().Throw<ArgumentException>().WithMessage("Flow.ToOnnx*(Parameter 'options')");
    }

    [Fact]
    public void A_dtype_that_graphs_do_not_have_is_refused()
    {
        using var flow = new Flow([2], new Permutation([2], [1, 0]));
        ((Action)(() => flow.ToOnnx(new() { Dtype = ScalarType.Float16 }))).Should().Throw<ArgumentException>().WithMessage("*Float16*");
    }

    private static IEnumerable<string> Described(IEnumerable<global::Onnx.ValueInfoProto> values) => values.Select(v =>
        $"{v.Name} ({string.Join(", ", v.Type.TensorType.Shape.Dim.Select(d => d.DimParam is { Length: > 0 } name ? name
            : d.DimValue.ToString(System.Globalization.CultureInfo.InvariantCulture)))}) {v.Type.TensorType.ElemType}");
}
