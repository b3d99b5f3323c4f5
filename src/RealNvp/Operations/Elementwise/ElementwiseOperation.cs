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

    /// <summary>The map of some channels of images (N, C, ...) into the same channels of others, and the log-determinant. Without a
    /// graph.</summary>
    /// <param name="call">The map, with the sum of log-derivatives; no inverse that is a search.</param>
    /// <param name="at">(N, C, ...), evenly spaced.</param>
    /// <param name="first">The first channel.</param>
    /// <param name="parameters">Those of the channels, P for each.</param>
    /// <param name="weight">The map's weight.</param>
    /// <param name="value">Of the shape of <paramref name="at"/>: its channels get the values.</param>
    /// <param name="logDet">(N), gets the log-determinant.</param>
    public static void RunChannels(ElementwiseCall call, Tensor at, long first, Tensor parameters, Tensor? weight, Tensor value,
        Tensor logDet)
    {
        var rows = Inputs<float>(call, at, parameters, weight, first, parameters.size(1) / call.Map.Parameters);
        rows.Write(value, 1, first);
        rows.WriteSum(logDet);
        rows.Run(call.Map, call.Inverse, gradient: false, call.Map.Grain.Forward);
    }

    /// <summary>The gradients of <see cref="RunChannels"/>; the caller disposes them, and has a dispose scope.</summary>
    /// <param name="call">The map.</param>
    /// <param name="at">The images.</param>
    /// <param name="first">The first channel.</param>
    /// <param name="parameters">The parameters, channels last.</param>
    /// <param name="weight">The map's weight.</param>
    /// <param name="ofValue">The gradient of the value, evenly spaced; only the channels are read.</param>
    /// <param name="ofLogDet">The gradient of the log-determinant.</param>
    /// <param name="ofInput">Its channels get the gradient of the images.</param>
    public static (Tensor Parameters, Tensor? Weight) ChannelGradients(ElementwiseCall call, Tensor at, long first, Tensor parameters,
        Tensor? weight, Tensor ofValue, Tensor ofLogDet, Tensor ofInput)
    {
        var size = parameters.Sizes();
        var ofParameters = ChannelsLast.Empty(size[0], size[1], size[2], size[3]);
        var rows = Inputs<float>(call, at, parameters, weight, first, size[1] / call.Map.Parameters);
        rows.Read(ofValue, 1, first);
        rows.ReadByRow(ofLogDet);
        rows.Write(ofInput, 1, first);
        rows.Write(ofParameters, call.Map.Parameters);
        return (ofParameters, GradientsOf(call, rows, weight));
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

    // what the map and its gradients read first; of so many channels from the first one on, if not of all
    private static ElementRows<T> Inputs<T>(ElementwiseCall call, Tensor at, Tensor parameters, Tensor? weight, long first = 0,
        long? of = null)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var rows = new ElementRows<T>(at, of);
        rows.Read(at, 1, first);
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
