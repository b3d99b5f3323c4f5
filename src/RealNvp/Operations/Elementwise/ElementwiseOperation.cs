using System.Buffers;
using System.Numerics;
using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>One call of an elementwise map.</summary>
/// <param name="Map">The map.</param>
/// <param name="Inverse">Whether it is the inverse.</param>
/// <param name="Sums">Whether it gives the log-determinant (N) in place of log-derivatives.</param>
internal sealed record ElementwiseCall(ElementwiseMap Map, bool Inverse, bool Sums);

/// <summary>Elementwise maps of tensors: by their kernels if those can run, in plain operations otherwise.</summary>
internal static class ElementwiseOperation
{
    /// <summary>Whether the kernel can run: it is on, and can read these tensors and the map's weight.</summary>
    public static bool CanRun(ElementwiseMap map, Tensor input, Tensor parameters) =>
        map.IsOn && ElementLayout.CanRun(input, parameters, map.Parameters)
        && (map.Weight is not { } weight || CanRead(weight, input, input.size(1)));

    /// <summary>Value, and log-derivative of each element or log-determinant (N),
    /// with gradients if they are wanted. The caller disposes both.</summary>
    /// <exception cref="InvalidOperationException">A root was not found.</exception>
    public static (Tensor Value, Tensor Log) Apply(ElementwiseCall call, Tensor input, Tensor parameters)
    {
        var weight = call.Map.Weight;
        var differentiable = is_grad_enabled() && (input.requires_grad || parameters.requires_grad || weight is { requires_grad: true });
        var isSmall = differentiable && !call.Sums && input.numel() < call.Map.LeastForGraph;
        if (isSmall || !CanRun(call.Map, input, parameters)) return Reference(call, input, parameters, weight, null);
        Tensor? root = null;
        if (call.Inverse && call.Map.InverseIsSearch)
            using (no_grad()) root = call.Map.Root(input, parameters);
        if (!differentiable)
        {
            var found = Run(call, root ?? input, parameters, weight);
            root?.Dispose();
            return found;
        }
        List<object> arguments = [input, parameters];
        if (weight is not null) arguments.Add(weight);
        if (root is not null) arguments.Add(root);
        arguments.Add(call);
        var results = ElementwiseFunction.Apply([.. arguments]);
        // the node has it
        root?.Dispose();
        return (results[0], results[1]);
    }

    /// <summary>The same in plain operations.</summary>
    public static (Tensor Value, Tensor Log) Reference(ElementwiseCall call, Tensor input, Tensor parameters, Tensor? weight, Tensor? root)
    {
        var (value, log) = call.Map.Reference(input, parameters, weight, call.Inverse, root);
        if (!call.Sums) return (value, log);
        using (log) return (value, Batch.SumExamples(log));
    }

    /// <summary>Value and log, without gradients. The caller disposes both.</summary>
    /// <param name="call">The map.</param>
    /// <param name="at">The input, or the root of the inverse if that is a search.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="weight">The map's weight.</param>
    public static (Tensor Value, Tensor Log) Run(ElementwiseCall call, Tensor at, Tensor parameters, Tensor? weight) =>
        at.dtype == ScalarType.Float32 ? Run<float>(call, at, parameters, weight) : Run<double>(call, at, parameters, weight);

    /// <summary>The gradients of input, parameters and weight; the caller disposes them, and has a dispose scope.</summary>
    /// <param name="call">The map.</param>
    /// <param name="at">The input, or the root of the inverse if that is a search.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="weight">The map's weight.</param>
    /// <param name="ofValue">The gradient of the value.</param>
    /// <param name="ofLog">The gradient of the log-derivatives, or of the log-determinant.</param>
    public static (Tensor Input, Tensor Parameters, Tensor? Weight) Gradients(ElementwiseCall call, Tensor at, Tensor parameters,
        Tensor? weight, Tensor ofValue, Tensor ofLog) =>
        at.dtype == ScalarType.Float32 ? Gradients<float>(call, at, parameters, weight, ofValue, ofLog)
            : Gradients<double>(call, at, parameters, weight, ofValue, ofLog);

    /// <summary>Whether <see cref="StepBack"/> can take a pass of the map
    /// back: its kernel can run, and the way back is no search.</summary>
    public static bool CanStepBack(ElementwiseMap map, Tensor output, Tensor parameters, bool inverse) =>
        (inverse || !map.InverseIsSearch) && CanRun(map, output, parameters);

    /// <summary>From the output of a pass its input, and the gradients of input, parameters
    /// and weight. Without a graph; the caller has a dispose scope.</summary>
    /// <param name="map">The map.</param>
    /// <param name="output">What the pass gave.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="ofValue">The gradient of the output.</param>
    /// <param name="ofLogDet">The gradient of the log-determinant (N).</param>
    /// <param name="inverse">Whether the pass was the inverse.</param>
    public static (Tensor Input, Tensor OfInput, Tensor OfParameters, Tensor? OfWeight) StepBack(ElementwiseMap map, Tensor output,
        Tensor parameters, Tensor ofValue, Tensor ofLogDet, bool inverse)
    {
        var weight = map.Weight;
        var input = Run(new(map, !inverse, Sums: true), output, parameters, weight).Value;
        var (ofInput, ofParameters, ofWeight) = Gradients(new(map, inverse, Sums: true), inverse && map.InverseIsSearch ? output
            : input, parameters, weight, ofValue, ofLogDet);
        return (input, ofInput, ofParameters, ofWeight);
    }

    private static (Tensor Value, Tensor Log) Run<T>(ElementwiseCall call, Tensor at, Tensor parameters, Tensor? weight)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var size = at.Sizes();
        Tensor value = empty(size, dtype: at.dtype, device: CPU), log = call.Sums ? empty(size[0], dtype: at.dtype, device: CPU)
            : empty(size, dtype: at.dtype, device: CPU);
        var rows = Inputs<T>(call, at, parameters, weight);
        rows.Write(value, 1);
        if (call.Sums) rows.WriteSum(log);
        else rows.Write(log, 1);
        rows.Run(call.Map, call.Inverse, gradient: false, call.Map.Grain.Forward);
        return (value, log);
    }

    /// <summary>The map of some channels of images into the same channels of others, on memory; its log-determinant is added.</summary>
    /// <param name="call">The map; no inverse that is a search.</param>
    /// <param name="images">How the images lie, and which channels.</param>
    /// <param name="from">The images.</param>
    /// <param name="parameters">Those of the channels, P for each, channels last.</param>
    /// <param name="weight">The map's weight, or null.</param>
    /// <param name="weights">Its numbers: 1, or one a channel.</param>
    /// <param name="to">Images that lie as these: the channels get the values.</param>
    /// <param name="logDet">(N), to which the log-determinant is added.</param>
    public static unsafe void RunChannels(ElementwiseCall call, ImageChannels images, float* from, float* parameters, float* weight,
        long weights, float* to, float* logDet)
    {
        var rows = Inputs(call, images, from, parameters, weight, weights);
        rows.Write(to + images.At, images.Layout, 1);
        rows.AddSum(logDet);
        rows.Run(call.Map, call.Inverse, gradient: false, call.Map.Grain.Forward);
    }

    /// <summary>The gradients of <see cref="RunChannels"/>.</summary>
    /// <param name="call">The map.</param>
    /// <param name="images">How the images lie, and which channels.</param>
    /// <param name="from">The images.</param>
    /// <param name="parameters">The parameters.</param>
    /// <param name="weight">The map's weight, or null.</param>
    /// <param name="weights">Its numbers.</param>
    /// <param name="ofValue">The gradient of the value; only the channels are read.</param>
    /// <param name="ofLogDet">The gradient of the log-determinant (N).</param>
    /// <param name="ofInput">Its channels get the gradient of the images.</param>
    /// <param name="ofParameters">Gets that of the parameters, channels last.</param>
    /// <param name="ofWeight">Gets that of the weight, if there is one.</param>
    public static unsafe void ChannelGradients(ElementwiseCall call, ImageChannels images, float* from, float* parameters, float* weight,
        long weights, float* ofValue, float* ofLogDet, float* ofInput, float* ofParameters, Span<float> ofWeight)
    {
        var rows = Inputs(call, images, from, parameters, weight, weights);
        rows.Read(ofValue + images.At, images.Layout, 1);
        rows.ReadByRow(ofLogDet);
        rows.Write(ofInput + images.At, images.Layout, 1);
        rows.Write(ofParameters, images.Last(call.Map.Parameters), call.Map.Parameters);
        var count = checked((int)(images.N * weights));
        var sums = ArrayPool<double>.Shared.Rent(Math.Max(1, count));
        fixed (double* byExample = sums)
        {
            if (weight != null) rows.WriteSums(byExample, weights);
            rows.Run(call.Map, call.Inverse, gradient: true, call.Map.Grain.Backward);
            for (var i = 0; i < ofWeight.Length; i++)
            {
                double sum = 0;
                for (long at = i; at < count; at += weights) sum += byExample[at];
                ofWeight[i] = (float)sum;
            }
        }
        ArrayPool<double>.Shared.Return(sums);
    }

    private static unsafe ElementRows<float> Inputs(ElementwiseCall call, ImageChannels images, float* from, float* parameters,
        float* weight, long weights)
    {
        var rows = new ElementRows<float>(images);
        rows.Read(from + images.At, images.Layout, 1);
        rows.Read(parameters, images.Last(call.Map.Parameters), call.Map.Parameters);
        if (weight != null) rows.ReadWeight(weight, weights);
        return rows;
    }

    private static (Tensor Input, Tensor Parameters, Tensor? Weight) Gradients<T>(ElementwiseCall call, Tensor at, Tensor parameters,
        Tensor? weight, Tensor ofValue, Tensor ofLog)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var size = at.Sizes();
        var ofInput = empty(size, dtype: at.dtype, device: CPU);
        var ofParameters = ChannelsLast.Is(parameters) ? empty_like(parameters) : empty(parameters.Sizes(), dtype: at.dtype, device: CPU);
        var rows = Inputs<T>(call, at, parameters, weight);
        rows.ReadGradient(ofValue);
        if (call.Sums) rows.ReadByRow(ofLog);
        else rows.ReadGradient(ofLog);
        rows.Write(ofInput, 1);
        rows.Write(ofParameters, call.Map.Parameters);
        return (ofInput, ofParameters, GradientsOf(call, rows, weight));
    }

    // what the map and its gradients read first
    private static ElementRows<T> Inputs<T>(ElementwiseCall call, Tensor at, Tensor parameters, Tensor? weight)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var rows = new ElementRows<T>(at);
        rows.Read(at, 1);
        rows.Read(parameters, call.Map.Parameters);
        if (weight is not null) rows.ReadWeight(weight);
        return rows;
    }

    // runs the gradients, with that of the weight behind them
    private static Tensor? GradientsOf<T>(ElementwiseCall call, ElementRows<T> rows, Tensor? weight)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var byExample = weight is null ? null : rows.WriteWeightGradient(weight);
        rows.Run(call.Map, call.Inverse, gradient: true, call.Map.Grain.Backward);
        return byExample?.sum([0L]).to(weight!.dtype).reshape(weight.Sizes());
    }

    /// <summary>Whether a kernel can read a map's weight: one in all, one a feature of vectors, or one a channel.</summary>
    /// <param name="weight">The weight.</param>
    /// <param name="input">What the map is of.</param>
    /// <param name="channels">The channels or features that it changes.</param>
    public static bool CanRead(Tensor weight, Tensor input, long channels)
    {
        if (weight.dtype != input.dtype || !KernelMemory.IsContiguous(weight)) return false;
        return weight.numel() == 1
            || (weight.dim() == input.dim() - 1 && weight.size(0) == channels && weight.numel() == weight.size(0));
    }
}
