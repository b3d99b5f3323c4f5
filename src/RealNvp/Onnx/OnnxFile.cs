using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Onnx;

/// <summary>The numbers of onnx.proto that several messages share.</summary>
internal static class OnnxFile
{
    // of the intermediate representation that opset 18 came with
    public const int IrVersion = 8;

    /// <summary>What an array of a message of Protocol Buffers can hold.</summary>
    public const long MostBytes = int.MaxValue;

    /// <summary>Throws if a file would be larger than can be counted.</summary>
    /// <exception cref="OnnxExportException">It would.</exception>
    public static void Require(long bytes)
    {
        if (bytes > MostBytes) throw new OnnxExportException(
            FormattableString.Invariant($"The graph has {bytes:N0} bytes, and a file of ONNX at most {MostBytes:N0}: Protocol Buffers ") +
            "can count no more. Export float32 instead of float64, or a smaller model.");
    }

    public static int TypeOf(ScalarType dtype) => dtype switch
    {
        ScalarType.Float32 => 1,
        ScalarType.Int64 => 7,
        ScalarType.Bool => 9,
        ScalarType.Float64 => 11,
        _ => throw new ArgumentException($"Graphs have no dtype {dtype} here.", nameof(dtype)),
    };

    /// <summary>A ValueInfoProto.</summary>
    public static ProtoMessage Described(OnnxValue value, bool isShaped)
    {
        var type = new ProtoMessage().Int(1, TypeOf(value.Type));
        if (isShaped)
        {
            var shape = new ProtoMessage();
            foreach (var size in value.Shape)
                shape.Message(1, size < 0 ? new ProtoMessage().Text(2, "N") : new ProtoMessage().Int(1, size));
            type.Message(2, shape);
        }
        return new ProtoMessage().Text(1, value.Name).Message(2, new ProtoMessage().Message(1, type));
    }
}
