using System.Numerics;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>Splines of tensors: by kernels where those can, by the twin otherwise.</summary>
internal static class SplineOperation
{
    // nanoseconds of a thread for one of the 2 K exponentials of an element, with what surrounds it
    private const double ForwardCost = 0.5, BackwardCost = 0.8, Grain = 50_000;

    /// <summary>Value and log-derivative of each element. The caller disposes them.</summary>
    public static (Tensor Value, Tensor LogDerivative) Apply(SplineTwin twin, Tensor input, Tensor parameters, bool inverse)
    {
        if (!KernelSwitches.Spline || !ElementTensor.CanTake(input, parameters)) return twin.Apply(input, parameters, inverse);
        if (!is_grad_enabled() || !(input.requires_grad || parameters.requires_grad)) return Run(twin.Shape, input, parameters, inverse);
        var results = SplineFunction.Apply(input, parameters, twin, inverse);
        return (results[0], results[1]);
    }

    /// <summary>Value and log-derivative, without gradients.</summary>
    public static (Tensor Value, Tensor LogDerivative) Run(SplineShape shape, Tensor input, Tensor parameters, bool inverse) =>
        ElementMap.Run(input, parameters, shape.Parameters, tensors => Launch(shape, inverse, gradient: false, input, tensors));

    /// <summary>The gradients of input and parameters.</summary>
    public static (Tensor OfInput, Tensor OfParameters) Gradients(SplineShape shape, Tensor input, Tensor parameters, bool inverse, Tensor ofValue, Tensor ofLogDerivative) =>
        ElementMap.Gradients(input, parameters, shape.Parameters, ofValue, ofLogDerivative, tensors => Launch(shape, inverse, gradient: true, input, tensors));

    private static void Launch(SplineShape shape, bool inverse, bool gradient, Tensor input, ElementTensor[] tensors)
    {
        if (input.dtype == ScalarType.Float32) Launch<float>(shape, inverse, gradient, input, tensors);
        else Launch<double>(shape, inverse, gradient, input, tensors);
    }

    private static void Launch<T>(SplineShape shape, bool inverse, bool gradient, Tensor input, ElementTensor[] tensors) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        LaneWidth.Run<Launcher<T>, T>(new Launcher<T>(shape, inverse, gradient, input, tensors));

    private readonly record struct Launcher<T>(SplineShape Shape, bool Inverse, bool Gradient, Tensor Input, ElementTensor[] Tensors) : ILaneCode<T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, T>
        {
            var work = Input.numel() * Shape.Bins * 2 * (Gradient ? BackwardCost : ForwardCost);
            if (Gradient) ElementKernels<TLanes, T, SplineGradient<TLanes, T>>.Run(new SplineGradient<TLanes, T>(Shape, Inverse), Input, Tensors, work, Grain);
            else ElementKernels<TLanes, T, SplineKernel<TLanes, T>>.Run(new SplineKernel<TLanes, T>(Shape, Inverse), Input, Tensors, work, Grain);
        }
    }
}

/// <summary>The autograd node of a spline. Arguments: input, parameters, the <see cref="SplineTwin"/>, whether it is the inverse.</summary>
internal sealed class SplineFunction : KernelFunction<SplineFunction>
{
    private const string TwinKey = "twin", InverseKey = "inverse";

    /// <inheritdoc/>
    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var (input, parameters, twin, inverse) = ((Tensor)arguments[0], (Tensor)arguments[1], (SplineTwin)arguments[2], (bool)arguments[3]);
        context.save_for_backward([input, parameters]);
        context.save_data(TwinKey, twin);
        context.save_data(InverseKey, inverse);
        var (value, logDerivative) = SplineOperation.Run(twin.Shape, input, parameters, inverse);
        return [value, logDerivative];
    }

    /// <inheritdoc/>
    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        using var scope = NewDisposeScope();
        var saved = context.get_saved_variables();
        var (twin, inverse) = ((SplineTwin)context.get_data(TwinKey), (bool)context.get_data(InverseKey));
        if (is_grad_enabled())
        {
            var found = KernelTwin.Differentiate(i => { var (v, l) = twin.Apply(i[0], i[1], inverse); return [v, l]; }, saved, gradients);
            foreach (var gradient in found) if (gradient is not null) scope.MoveToOuter(gradient);
            return [.. found, null, null];
        }
        var (ofInput, ofParameters) = SplineOperation.Gradients(twin.Shape, saved[0], saved[1], inverse, gradients[0], gradients[1]);
        return [scope.MoveToOuter(ofInput), scope.MoveToOuter(ofParameters), null, null];
    }
}
