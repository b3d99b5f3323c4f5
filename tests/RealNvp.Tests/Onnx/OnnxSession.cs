using Microsoft.ML.OnnxRuntime;
using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Onnx;

/// <summary>A graph in OnnxRuntime: tensors in, tensors out.</summary>
internal sealed class OnnxSession : IDisposable
{
    private readonly InferenceSession session;

    /// <summary>Loads the graph.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="optimizes">As runtimes do unless they are told otherwise; it takes longer than the one run of a test.</param>
    public OnnxSession(OnnxGraph graph, bool optimizes = false) : this(graph.ToArray(), optimizes) { }

    /// <summary>Loads the bytes of a file.</summary>
    public OnnxSession(byte[] model, bool optimizes = false)
    {
        using var options = new SessionOptions { IntraOpNumThreads = 1, InterOpNumThreads = 1,
            GraphOptimizationLevel = optimizes ? GraphOptimizationLevel.ORT_ENABLE_ALL : GraphOptimizationLevel.ORT_DISABLE_ALL,
                LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };
        session = new InferenceSession(model, options);
    }

    public IReadOnlyDictionary<string, NodeMetadata> Inputs => session.InputMetadata;

    public IReadOnlyDictionary<string, NodeMetadata> Outputs => session.OutputMetadata;

    public IReadOnlyDictionary<string, string> Metadata => session.ModelMetadata.CustomMetadataMap;

    /// <summary>Runs it. The tensors are float32, float64 or int64, in and out.</summary>
    public Dictionary<string, Tensor> Run(params (string Name, Tensor? Value)[] inputs)
    {
        var given = inputs.Where(i => i.Value is not null && session.InputMetadata.ContainsKey(i.Name))
            .ToDictionary(i => i.Name, i => Value(i.Value!));
        using var results = session.Run(new RunOptions(), given, session.OutputNames);
        var outputs = session.OutputNames.Zip(results).ToDictionary(o => o.First, o => Tensor(o.Second));
        foreach (var value in given.Values) value.Dispose();
        return outputs;
    }

    public void Dispose() => session.Dispose();

    private static OrtValue Value(Tensor tensor)
    {
        var plain = tensor.detach().cpu().contiguous();
        return tensor.dtype switch
        {
            ScalarType.Float32 => OrtValue.CreateTensorValueFromMemory(Numbers<float>(plain), tensor.shape),
            ScalarType.Float64 => OrtValue.CreateTensorValueFromMemory(Numbers<double>(plain), tensor.shape),
            _ => OrtValue.CreateTensorValueFromMemory(Numbers<long>(plain), tensor.shape),
        };
    }

    // TorchSharp's accessor has no first index in a tensor without elements
    private static T[] Numbers<T>(Tensor plain) where T : unmanaged => plain.numel() == 0 ? [] : plain.data<T>().ToArray();

    private static Tensor Tensor(OrtValue value)
    {
        var info = value.GetTensorTypeAndShape();
        return info.ElementDataType switch
        {
            Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.Float => tensor(value.GetTensorDataAsSpan<float>().ToArray(), info.Shape),
            Microsoft.ML.OnnxRuntime.Tensors.TensorElementType.Double => tensor(value.GetTensorDataAsSpan<double>().ToArray(), info.Shape),
            _ => tensor(value.GetTensorDataAsSpan<long>().ToArray(), info.Shape),
        };
    }
}
