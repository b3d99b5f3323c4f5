using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Onnx;

/// <content>Sums, products of matrices, convolutions.</content>
public sealed partial class OnnxValue
{
    /// <summary>The sum over dimensions, which stay with a size of 1.</summary>
    /// <param name="dimensions">Counted from 0, N being 0; negative ones from the end.</param>
    public OnnxValue Sum(params IReadOnlyList<long> dimensions) => Reduce("ReduceSum", dimensions);

    /// <summary>The largest over dimensions, which stay with a size of 1.</summary>
    public OnnxValue Largest(params IReadOnlyList<long> dimensions) => Reduce("ReduceMax", dimensions);

    /// <summary>The smallest over dimensions, which stay with a size of 1.</summary>
    public OnnxValue Smallest(params IReadOnlyList<long> dimensions) => Reduce("ReduceMin", dimensions);

    /// <summary>The sum over each example (N, ...): (N, 1). The log-determinant of an elementwise map, from log-derivatives.</summary>
    public OnnxValue SumExamples() => Flat().Sum(1);

    /// <summary>(N, 1): 0, or NaN for an example with a number that is none. A graph has no errors, and the maximum of a runtime may lose
    /// NaN; what this is added to has it again.</summary>
    internal OnnxValue Faults() => (this * 0).SumExamples();

    /// <summary>log Σ eˣ over a dimension, which stays with a size of 1; finite for all finite x.</summary>
    public OnnxValue LogSumExp(long dimension)
    {
        var largest = Largest(dimension);
        return (this - largest).Exp().Sum(dimension).Log() + largest;
    }

    /// <summary>eˣ / Σ eˣ over a dimension.</summary>
    public OnnxValue Softmax(long dimension) => Apply("Softmax", ("axis", dimension));

    /// <summary>x − log Σ eˣ over a dimension.</summary>
    public OnnxValue LogSoftmax(long dimension) => Apply("LogSoftmax", ("axis", dimension));

    /// <summary>The sums of all up to each element, along a dimension.</summary>
    public OnnxValue CumulativeSum(long dimension) =>
        Graph.Node("CumSum", [this, Graph.Number(dimension, ScalarType.Int64, 0)], shape, Type);

    /// <summary>The product of matrices in the last two dimensions.</summary>
    public OnnxValue MatMul(OnnxValue other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (shape.Length < 2 || other.shape.Length < 2 || shape[^1] != other.shape[^2])
            throw new ArgumentException($"Two matrices do not meet: {this} and {other}.", nameof(other));
        OnnxValue Front(OnnxValue v) => new(Graph, "", Type, v.shape[..^2]);
        return Graph.Node("MatMul", [this, other], [.. Spread(Front(this), Front(other)), shape[^2], other.shape[^1]], Type);
    }

    /// <summary>W·x + b of each row (N, I): (N, O).</summary>
    /// <param name="weight">(O, I).</param>
    /// <param name="bias">(O); null for none.</param>
    public OnnxValue Linear(Tensor weight, Tensor? bias = null)
    {
        ArgumentNullException.ThrowIfNull(weight);
        if (shape.Length != 2 || weight.dim() != 2 || weight.shape[1] != shape[1])
            throw new ArgumentException(
                $"A linear layer of {EventShape.Format(weight.shape)} takes (N, {weight.shape[^1]}); got {this}.", nameof(weight));
        OnnxValue[] all = [this, Graph.Constant(weight, Type), .. bias is null ? (OnnxValue[])[] : [Graph.Constant(bias, Type)]];
        return Graph.Node("Gemm", all, [shape[0], weight.shape[0]], Type, ("transB", 1L));
    }

    /// <summary>A convolution of images (N, I, H, W) of stride 1.</summary>
    /// <param name="weight">(O, I, k, l).</param>
    /// <param name="bias">(O); null for none.</param>
    /// <param name="padding">The zeros around the image, on each side.</param>
    /// <exception cref="OnnxExportException">The graph computes in float64, in which runtimes have no convolution.</exception>
    public OnnxValue Convolve(Tensor weight, Tensor? bias = null, long padding = 0)
    {
        ArgumentNullException.ThrowIfNull(weight);
        if (shape.Length != 4 || weight.dim() != 4 || weight.shape[1] != shape[1])
            throw new ArgumentException(
                $"A convolution with a weight of {EventShape.Format(weight.shape)} takes (N, {weight.shape[1]}, H, W); got {this}.",
                nameof(weight));
        if (Type == ScalarType.Float64)
            throw Graph.Fault(
                "has convolutions, which OnnxRuntime has in float32 alone. Export float32: leave out OnnxOptions.Dtype.");
        OnnxValue[] all = [this, Graph.Constant(weight, Type), .. bias is null ? (OnnxValue[])[] : [Graph.Constant(bias, Type)]];
        long Size(int d) => shape[d] + (2 * padding) - weight.shape[d] + 1;
        return Graph.Node("Conv", all, [shape[0], weight.shape[0], Size(2), Size(3)], Type, ("pads", new[] { padding, padding, padding,
            padding }));
    }

    private OnnxValue Reduce(string operation, IReadOnlyList<long> dimensions)
    {
        ArgumentNullException.ThrowIfNull(dimensions);
        var result = (long[])shape.Clone();
        foreach (var d in dimensions) result[d < 0 ? d + result.Length : d] = 1;
        return Graph.Node(operation, [this, Graph.Integers(dimensions)], result, Type, ("keepdims", 1L));
    }
}
