using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Onnx;

/// <summary>What is written of a flow.</summary>
public sealed record OnnxOptions
{
    /// <summary>What the graph gives.</summary>
    public OnnxOutputs Outputs { get; init; } = OnnxOutputs.LogProb;

    /// <summary>What it takes, computes in and gives: float32, or float64, in which runtimes lack convolutions. Weights are
    /// converted.</summary>
    public ScalarType Dtype { get; init; } = ScalarType.Float32;

    internal static void Validate(OnnxOptions options, string owner)
    {
        if (options.Dtype is not (ScalarType.Float32 or ScalarType.Float64))
            throw new ArgumentException($"{owner} writes float32 or float64; {nameof(OnnxOptions)}.{nameof(Dtype)} is {options.Dtype}.",
                nameof(options));
        const OnnxOutputs fromData = OnnxOutputs.LogProb | OnnxOutputs.Encode;
        if ((options.Outputs & ~(fromData | OnnxOutputs.LogDet | OnnxOutputs.Decode)) != 0
            || (options.Outputs & (fromData | OnnxOutputs.Decode)) == 0)
            throw new ArgumentException($"{owner} writes {OnnxOutputs.LogProb}, {OnnxOutputs.Encode} or {OnnxOutputs.Decode}; " +
                $"{nameof(OnnxOptions)}.{nameof(Outputs)} is {options.Outputs}.", nameof(options));
        if (options.Outputs.HasFlag(OnnxOutputs.Decode) && (options.Outputs & fromData) != 0)
            throw new ArgumentException(
                $"{owner}: a graph that decodes takes z, and one that gives {options.Outputs & fromData} takes x. Export " +
                "two files.", nameof(options));
    }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(OnnxOptions), PrintMembers);
}
