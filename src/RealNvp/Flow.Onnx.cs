using System.Text.Json;
using RealNvp.Internal;
using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>The flow as a graph of ONNX.</content>
public partial class Flow
{
    /// <summary>Writes what the flow computes in evaluation mode to an ONNX file, for runtimes without libtorch: OnnxRuntime, ML.NET,
    /// browsers. The file is replaced in one step.</summary>
    /// <remarks>
    /// <para>Inputs: <c>x</c> (N, ...) in the shape of <see cref="InputShape"/>, or <c>z</c> in that of <see cref="LatentShape"/> if the
    /// graph decodes; <c>context</c> in that of <see cref="ContextShape"/>, of dtype int64 if it is a label; and for a flow that
    /// dequantizes <c>noise</c>, uniform in 0 ... 1. Outputs: see <see cref="OnnxOutputs"/>. N is open. Opset 18.</para>
    /// <para>A graph has no errors for bad numbers: of NaN it makes NaN, and a row outside of the support has a <c>log_prob</c> of minus
    /// infinity. <c>docs/onnx.md</c> lists the layers that can be exported.</para>
    /// </remarks>
    /// <param name="path">The file, usually <c>*.onnx</c>.</param>
    /// <param name="options">What is written; null for log p(x) in float32.</param>
    /// <exception cref="OnnxExportException">A part of the flow has no graph, and the message names it; or it would be larger than 2 GB.
    /// A file that is there stays as it is.</exception>
    /// <exception cref="ArgumentException">The options do not fit.</exception>
    /// <exception cref="IOException">The file cannot be written; one that is there stays as it is.</exception>
    public void ExportOnnx(string path, OnnxOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        Graph(options, nameof(ExportOnnx)).Save(path);
    }

    /// <summary>Writes it to a stream, as <see cref="ExportOnnx(string, OnnxOptions?)"/> to a file.</summary>
    /// <param name="stream">Where to write; it need not be seekable, and is flushed and left open.</param>
    /// <param name="options">What is written; null for log p(x) in float32.</param>
    /// <exception cref="OnnxExportException">A part of the flow has no graph. Nothing was written.</exception>
    /// <exception cref="ArgumentException">The options do not fit, or the stream is closed or cannot be written.</exception>
    public void ExportOnnx(Stream stream, OnnxOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        if (!stream.CanWrite) throw new ArgumentException("The stream is closed or cannot be written.", nameof(stream));
        Graph(options, nameof(ExportOnnx)).Save(stream);
    }

    /// <summary>The graph of <see cref="ExportOnnx(string, OnnxOptions?)"/>, to which nodes and outputs can be added before it is
    /// saved.</summary>
    /// <param name="options">What is written; null for log p(x) in float32.</param>
    /// <exception cref="OnnxExportException">A part of the flow has no graph; the message names it.</exception>
    /// <exception cref="ArgumentException">The options do not fit.</exception>
    public OnnxGraph ToOnnx(OnnxOptions? options = null) => Graph(options, nameof(ToOnnx));

    private OnnxGraph Graph(OnnxOptions? options, string method)
    {
        options ??= new();
        var owner = $"{GetName()}.{method}";
        OnnxOptions.Validate(options, owner);
        using var mode = EvaluationGate.Evaluate(this);
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        try
        {
            var graph = Written(options, options.Dtype);
            // Where a part computes in float64, as a spline does, its slope can be a thousand and more: what it passes on, and gets, is
            // float64 too, or the rounding of one layer is an error a thousand times as large behind the next one
            return graph.HasWideParts && InputShape.Count == 1 ? Written(options, ScalarType.Float64) : graph;
        }
        catch (OnnxExportException e) when (e.Part is { } part)
        {
            throw new OnnxExportException($"{owner}: {PlaceOf(part)} {e.Reason}", e);
        }
    }

    private OnnxGraph Written(OnnxOptions options, ScalarType inner)
    {
        var graph = new OnnxGraph(GetName(), options.Dtype)
        {
            Device = Weight?.device ?? CPU,
            // Products are what a graph costs, and of a density the library's float32 is enough; of data from latents it is not, for which
            // nobody can tell what the slopes make of the rounding of a network
            HasNarrowNetworks = !options.Outputs.HasFlag(OnnxOutputs.Decode),
        };
        using var width = graph.In(inner);
        Describe(graph, options);
        Write(graph, options);
        return graph;
    }

    private void Write(OnnxGraph graph, OnnxOptions options)
    {
        var decodes = options.Outputs.HasFlag(OnnxOutputs.Decode);
        var input = graph.Input(decodes ? "z" : "x", decodes ? LatentShape : InputShape);
        OnnxValue? context = ContextSize == 0 ? null
            : context_encoder?.ToOnnx(graph) ?? graph.Input("context", EventShape.Create(ContextSize));
        var (value, logDet) = bijection.ToOnnx(input, context, decodes);
        var fault = Fault(graph);
        value += fault.Reshape([-1, .. Enumerable.Repeat(1L, value.Shape.Count - 1)]);
        OnnxValue Column(OnnxValue? v) => v is null ? fault : v + fault;
        if (options.Outputs.HasFlag(OnnxOutputs.LogProb))
            graph.AddOutput("log_prob", Column(OnnxValue.Sum(base_density.ToOnnx(value, context), logDet)));
        if (options.Outputs.HasFlag(OnnxOutputs.Encode)) graph.AddOutput("z", value);
        if (decodes) graph.AddOutput("x", value);
        if (options.Outputs.HasFlag(OnnxOutputs.LogDet)) graph.AddOutput("log_det", Column(logDet));
    }

    private static OnnxValue Fault(OnnxGraph graph) => graph.Inputs.Values.Where(i => i.Type != ScalarType.Int64)
        .Select(i => i.Faults()).Aggregate((a, b) => a + b).To(graph.Dtype);

    private void Describe(OnnxGraph graph, OnnxOptions options)
    {
        graph.Description = $"{GetName()} of RealNvp {StateFile.Library}: {options.Outputs}. log_prob is in nats.";
        var about = graph.Metadata;
        about["realnvp.model"] = GetName();
        about["realnvp.library"] = StateFile.Library;
        about["realnvp.outputs"] = options.Outputs.ToString();
        about["realnvp.event_shape"] = JsonSerializer.Serialize(InputShape.ToArray());
        about["realnvp.latent_shape"] = JsonSerializer.Serialize(LatentShape.ToArray());
        if (ContextShape is { } context) about["realnvp.context_shape"] = JsonSerializer.Serialize(context.ToArray());
        if (Info.Columns is { } columns) about["realnvp.columns"] = JsonSerializer.Serialize(columns);
        if (Info.ContextColumns is { } contexts) about["realnvp.context_columns"] = JsonSerializer.Serialize(contexts);
        about["realnvp.likelihood"] = Likelihood.ToString();
        if (FileOptions is { } record) about["realnvp.options"] = record;
    }

    // its name among the modules of the flow, and what it is called
    private string PlaceOf(nn.Module part)
    {
        var name = named_modules().Where(m => ReferenceEquals(m.module, part)).Select(m => m.name).FirstOrDefault();
        return string.IsNullOrEmpty(name) ? part.GetName() : $"{name} ({part.GetName()})";
    }
}
