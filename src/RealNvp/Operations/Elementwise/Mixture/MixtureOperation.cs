using System.Numerics;
using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>Mixtures of logistics of tensors: by kernels where those can, by the twin otherwise.</summary>
internal static class MixtureOperation
{
    // nanoseconds of a thread for one component of an element in float32; the search takes some eight steps in float64
    private const double ForwardCost = 10, BackwardCost = 14, RootCost = 100, Grain = 50_000;

    /// <summary>Value and log-derivative of each element. The caller disposes them.</summary>
    public static (Tensor Value, Tensor LogDerivative) Forward(MixtureTwin twin, Tensor x, Tensor parameters)
    {
        if (!CanTake(x, parameters)) return twin.Forward(x, parameters);
        if (!NeedsGraph(x, parameters)) return Run(twin.Components, x, parameters, inverse: false);
        var results = MixtureFunction.Apply(x, parameters, twin);
        return (results[0], results[1]);
    }

    /// <summary>Value and log-derivative of the inverse of each element. The caller disposes them.</summary>
    /// <exception cref="InvalidOperationException">A root was not found.</exception>
    public static (Tensor Value, Tensor LogDerivative) Inverse(MixtureTwin twin, Tensor y, Tensor parameters)
    {
        if (!CanTake(y, parameters)) return twin.Inverse(y, parameters);
        using var scope = NewDisposeScope();
        Tensor root;
        using (no_grad()) root = Root(twin, y, parameters);
        if (!NeedsGraph(y, parameters))
        {
            var (value, logDerivative) = Run(twin.Components, root, parameters, inverse: true);
            return (scope.MoveToOuter(value), scope.MoveToOuter(logDerivative));
        }
        var results = MixtureFunction.Apply(y, parameters, root, twin);
        return (scope.MoveToOuter(results[0]), scope.MoveToOuter(results[1]));
    }

    private static bool CanTake(Tensor input, Tensor parameters) => KernelSwitches.Mixture && ElementTensor.CanTake(input, parameters);

    private static bool NeedsGraph(Tensor input, Tensor parameters) => is_grad_enabled() && (input.requires_grad || parameters.requires_grad);

    /// <summary>Value and log-derivative, without gradients; for the inverse <paramref name="x"/> is the root.</summary>
    public static (Tensor Value, Tensor LogDerivative) Run(int components, Tensor x, Tensor parameters, bool inverse) =>
        ElementMap.Run(x, parameters, MixtureLimits.Parameters(components), tensors => Launch(components, inverse, gradient: false, x, tensors));

    /// <summary>The gradients of input and parameters; for the inverse <paramref name="x"/> is the root.</summary>
    public static (Tensor OfInput, Tensor OfParameters) Gradients(int components, Tensor x, Tensor parameters, bool inverse, Tensor ofValue, Tensor ofLogDerivative) =>
        ElementMap.Gradients(x, parameters, MixtureLimits.Parameters(components), ofValue, ofLogDerivative, tensors => Launch(components, inverse, gradient: true, x, tensors));

    /// <summary>The x with τ(x) = y, found in float64 and rounded to the dtype of y.</summary>
    private static Tensor Root(MixtureTwin twin, Tensor y, Tensor parameters)
    {
        using var scope = NewDisposeScope();
        var (target, wide) = (y.to(ScalarType.Float64), parameters.to(ScalarType.Float64));
        var root = empty(y.shape, dtype: ScalarType.Float64, device: y.device);
        var residual = empty(y.shape, dtype: ScalarType.Float64, device: y.device);
        ElementTensor[] tensors = [ElementTensor.In(target, 1), ElementTensor.In(wide, twin.Parameters), ElementTensor.Out(root, 1), ElementTensor.Out(residual, 1)];
        LaneWidth.Run<Search, double>(new Search(twin.Components, target, tensors));
        if (residual.numel() > 0) twin.CheckResidual(residual.max().Fetch<double>());
        return scope.MoveToOuter(root.to(y.dtype));
    }

    private static void Launch(int components, bool inverse, bool gradient, Tensor input, ElementTensor[] tensors)
    {
        if (input.dtype == ScalarType.Float32) Launch<float>(components, inverse, gradient, input, tensors);
        else Launch<double>(components, inverse, gradient, input, tensors);
    }

    private static void Launch<T>(int components, bool inverse, bool gradient, Tensor input, ElementTensor[] tensors) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        LaneWidth.Run<Launcher<T>, T>(new Launcher<T>(components, inverse, gradient, input, tensors));

    private readonly record struct Search(int Components, Tensor Like, ElementTensor[] Tensors) : ILaneCode<double>
    {
        public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, double> =>
            ElementKernels<TLanes, double, MixtureRoot<TLanes>>.Run(new MixtureRoot<TLanes>(Components), Like, Tensors, Like.numel() * Components * RootCost, Grain);
    }

    private readonly record struct Launcher<T>(int Components, bool Inverse, bool Gradient, Tensor Input, ElementTensor[] Tensors) : ILaneCode<T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, T>
        {
            var work = Input.numel() * Components * (Gradient ? BackwardCost : ForwardCost);
            if (Gradient) ElementKernels<TLanes, T, MixtureGradient<TLanes, T>>.Run(new MixtureGradient<TLanes, T>(Components, Inverse), Input, Tensors, work, Grain);
            else ElementKernels<TLanes, T, MixtureKernel<TLanes, T>>.Run(new MixtureKernel<TLanes, T>(Components, Inverse), Input, Tensors, work, Grain);
        }
    }
}

/// <summary>
/// The autograd node of a mixture. Arguments: x, parameters and the <see cref="MixtureTwin"/>; for the inverse y, parameters, the root and
/// the twin.
/// </summary>
internal sealed class MixtureFunction : KernelFunction<MixtureFunction>
{
    private const string TwinKey = "twin";

    /// <inheritdoc/>
    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var tensors = arguments.OfType<Tensor>().ToList();
        var twin = (MixtureTwin)arguments[^1];
        context.save_for_backward(tensors);
        context.save_data(TwinKey, twin);
        var inverse = tensors.Count == 3;
        var (value, logDerivative) = MixtureOperation.Run(twin.Components, inverse ? tensors[2] : tensors[0], tensors[1], inverse);
        return [value, logDerivative];
    }

    /// <inheritdoc/>
    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        using var scope = NewDisposeScope();
        var saved = context.get_saved_variables();
        var twin = (MixtureTwin)context.get_data(TwinKey);
        var inverse = saved.Count == 3;
        if (is_grad_enabled())
        {
            var found = KernelTwin.Differentiate(i => { var (v, l) = inverse ? twin.Inverse(i[0], i[1], i[2]) : twin.Forward(i[0], i[1]); return [v, l]; }, saved, gradients);
            foreach (var gradient in found) if (gradient is not null) scope.MoveToOuter(gradient);
            return [.. found, null];
        }
        var (ofInput, ofParameters) = MixtureOperation.Gradients(twin.Components, saved[inverse ? 2 : 0], saved[1], inverse, gradients[0], gradients[1]);
        List<Tensor?> results = [scope.MoveToOuter(ofInput), scope.MoveToOuter(ofParameters)];
        while (results.Count <= saved.Count) results.Add(null);
        return results;
    }
}
