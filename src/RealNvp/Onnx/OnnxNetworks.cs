using RealNvp.Internal;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Onnx;

/// <summary>Writes networks as graphs of ONNX.</summary>
public static class OnnxNetworks
{
    // by the exact class: one that derives may compute something else
    private static readonly Dictionary<Type, Func<nn.Module, OnnxValue, OnnxValue>> known = new()
    {
        [typeof(Linear)] = (m, x) => Dense((Linear)m, x),
        [typeof(Conv2d)] = (m, x) => Convolution((Conv2d)m, x),
        [typeof(Sequential)] = (m, x) => m.children().Aggregate(x, (value, part) => Write(part, value)),
        [typeof(BatchNorm1d)] = (m, x) => m is BatchNorm1d n ? Norm(m, x, n.running_mean, n.running_var, n.weight, n.bias, n.eps) : x,
        [typeof(BatchNorm2d)] = (m, x) => m is BatchNorm2d n ? Norm(m, x, n.running_mean, n.running_var, n.weight, n.bias, n.eps) : x,
        [typeof(LayerNorm)] = (m, x) => LayerNormalized((LayerNorm)m, x),
        [typeof(ReLU)] = (_, x) => x.Relu(),
        [typeof(LeakyReLU)] = (m, x) => x.GreaterOrEqual(0).Where(x, x * ((LeakyReLU)m).negative_slope),
        [typeof(ELU)] = (m, x) => x.Greater(0).Where(x, x.AtMost(0).ExpM1() * ((ELU)m).alpha),
        [typeof(SELU)] = (_, x) => x.Greater(0).Where(x, x.AtMost(0).ExpM1() * 1.6732632423543772) * 1.0507009873554805,
        [typeof(SiLU)] = (_, x) => x * x.Sigmoid(),
        [typeof(Softplus)] = (m, x) => (x * ((Softplus)m).beta).Softplus() / ((Softplus)m).beta,
        [typeof(TorchSharp.Modules.Tanh)] = (_, x) => x.Tanh(),
        [typeof(Sigmoid)] = (_, x) => x.Sigmoid(),
        [typeof(Flatten)] = (m, x) => ((Flatten)m).start_dim == 1 && ((Flatten)m).end_dim == -1 ? x.Flat() : throw Unknown(m),
        [typeof(Identity)] = (_, x) => x,
        [typeof(Dropout)] = (_, x) => x,
        [typeof(Dropout1d)] = (_, x) => x,
        [typeof(Dropout2d)] = (_, x) => x,
        [typeof(AlphaDropout)] = (_, x) => x,
    };

    /// <summary>
    /// Writes what a network computes in evaluation mode: an <see cref="IOnnxNetwork"/>, or a module of TorchSharp that is known: Linear,
    /// Conv2d that keeps the size of the image, Sequential, BatchNorm1d and 2d, LayerNorm, ReLU, LeakyReLU, ELU, SELU, SiLU, Softplus,
    /// Tanh, Sigmoid, Flatten, Identity and the dropouts, which do nothing in evaluation.
    /// </summary>
    /// <param name="network">The network.</param>
    /// <param name="input">(N, ...).</param>
    /// <param name="context">(N, C) for a conditional network; null for any other.</param>
    /// <returns>(N, ...).</returns>
    /// <exception cref="OnnxExportException">It is neither.</exception>
    public static OnnxValue Write(nn.Module network, OnnxValue input, OnnxValue? context = null)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(input);
        var graph = input.Graph;
        if (graph.IsWide && graph.HasNarrowNetworks && input.Type == ScalarType.Float64)
        {
            using var width = graph.In(ScalarType.Float32);
            return Write(network, input.To(ScalarType.Float32), context?.To(ScalarType.Float32)).To(ScalarType.Float64);
        }
        using var _ = graph.Within(network);
        if (network is IOnnxNetwork writing) return writing.WriteOnnx(input, context);
        return known.TryGetValue(network.GetType(), out var write) ? write(network, input) : throw Unknown(network);
    }

    private static OnnxExportException Unknown(nn.Module network) => new(
        $"does not say how it is written as a graph of ONNX. Implement {nameof(IOnnxNetwork)} in {network.GetType().Name}, or use a " +
        $"network that does, such as {nameof(Mlp)}, ResidualMlp, Made, ResidualConvNet or a Sequential of modules of TorchSharp.", network);

    private const string Mlp = "Mlp";

    private static OnnxValue Dense(Linear module, OnnxValue x)
    {
        if (x.Shape.Count == 2) return x.Linear(module.weight!, module.bias);
        using var scope = NewDisposeScope();
        var product = x.MatMul(x.Graph.Constant(module.weight!.t()));
        return module.bias is null ? product : product + x.Graph.Constant(module.bias);
    }

    private static OnnxValue Convolution(Conv2d module, OnnxValue x)
    {
        var (weight, padding) = (module.weight!, module.padding ?? []);
        var size = weight.shape[2];
        var isPlain = module.groups == 1 && module.stride.All(s => s == 1) && module.dilation.All(d => d == 1)
            && module.padding_mode == TorchSharp.PaddingModes.Zeros && weight.shape[3] == size && padding.Distinct().Count() <= 1
            && module.padding_type is null;
        if (!isPlain) throw new OnnxExportException(
            "is a convolution with a stride, a dilation, groups, or a padding other than zeros that are as many on all sides, which are " +
            "not written. Implement IOnnxNetwork in a module of yours that holds it.", module);
        return x.Convolve(weight, module.bias, padding.FirstOrDefault());
    }

    // what it multiplies and adds for each channel
    internal static OnnxValue Norm(nn.Module module, OnnxValue x, Tensor? mean, Tensor? variance, Tensor? weight, Tensor? bias, double eps)
    {
        if (mean is null || variance is null)
            throw new OnnxExportException("has no running statistics, so examples of a batch influence each other in evaluation. Make it " +
                "with track_running_stats.", module);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var scale = variance.to(float64).add(Scalars.Of(eps), Scalars.One).rsqrt();
        if (weight is not null) scale = scale.mul(weight.to(float64));
        var shift = mean.to(float64).mul(scale).neg();
        if (bias is not null) shift = shift.add(bias.to(float64), Scalars.One);
        long[] channels = [1, -1, .. Enumerable.Repeat(1L, x.Shape.Count - 2)];
        return (x * x.Graph.Constant(scale.reshape(channels))) + x.Graph.Constant(shift.reshape(channels));
    }

    private static OnnxValue LayerNormalized(LayerNorm module, OnnxValue x)
    {
        long[] over = [.. Enumerable.Range(x.Shape.Count - module.normalized_shape.Length, module.normalized_shape.Length)
            .Select(d => (long)d)];
        var count = module.normalized_shape.Aggregate(1.0, (n, s) => n * s);
        var centred = x - (x.Sum(over) / count);
        var normal = centred / (((centred * centred).Sum(over) / count) + module.eps).Sqrt();
        if (module.weight is not null) normal *= x.Graph.Constant(module.weight);
        return module.bias is null ? normal : normal + x.Graph.Constant(module.bias);
    }
}
