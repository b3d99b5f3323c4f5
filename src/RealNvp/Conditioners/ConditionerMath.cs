using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A part of a built-in conditioner that can compute in fewer digits than its weights have.</summary>
internal interface IHasComputeDtype
{
    /// <summary>What to compute in if inputs are float32; null for the dtype of the input.</summary>
    ScalarType? ComputeDtype { get; set; }
}

/// <summary>The matrix products and convolutions of the built-in conditioners:
/// where <see cref="Flow.ConditionerDtype"/> has its effect.</summary>
internal static class ConditionerMath
{
    /// <summary>Whether something is computed in fewer digits. In float64 nothing is: who asks for it wants its digits.</summary>
    public static bool IsReduced(ScalarType? compute, Tensor input) => compute is not null && input.dtype == ScalarType.Float32;

    /// <summary>Runs a network of linear layers; the caller disposes the result, which has the dtype of the input.</summary>
    /// <param name="modules">The network.</param>
    /// <param name="input">(N, inputs).</param>
    /// <param name="context">(N, context), or null.</param>
    public static Tensor Dense(DenseModules modules, Tensor input, Tensor? context)
    {
        var reduced = IsReduced(modules.ComputeDtype, input);
        var dropout = modules.Dropout;
        if (!reduced && modules.Limit is null && dropout is null)
            return DenseNetwork.Run(modules.Program, modules.Tensors(input, context), modules.Uses(context));
        using var scope = NewDisposeScope();
        input = InputLimitReference.Of(input, modules.Limit);
        if (modules.Uses(context)) context = InputLimitReference.Of(context!, modules.Limit);
        if (!reduced && dropout is null)
            return scope.MoveToOuter(DenseNetwork.Run(modules.Program, modules.Tensors(input, context), modules.Uses(context)));
        var all = modules.Tensors(input, context);
        if (reduced) all = all.ConvertAll(t => t.to(modules.ComputeDtype!.Value));
        return scope.MoveToOuter(DenseReference.Forward(modules.Program,
            new DenseTensors(modules.Program, all, modules.Uses(context)), dropout is null ? null : dropout.call).to(input.dtype));
    }

    /// <summary>A convolution of stride 1 that keeps the size of the image; the
    /// caller disposes the result, which has the dtype of the input.</summary>
    /// <param name="compute">What to compute in.</param>
    /// <param name="input">(N, C, H, W).</param>
    /// <param name="weight">(K, C, k, k).</param>
    /// <param name="bias">(K), or null.</param>
    /// <param name="border">What a 3×3 convolution sees around the image.</param>
    public static Tensor Conv2d(ScalarType? compute, Tensor input, Tensor weight, Tensor? bias, float border = 0)
    {
        if (!IsReduced(compute, input)) return Convolved(input, weight, bias, border);
        using var scope = NewDisposeScope();
        var type = compute!.Value;
        return scope.MoveToOuter(Convolved(input.to(type), weight.to(type), bias?.to(type), border).to(input.dtype));
    }

    /// <summary>Lets the built-in conditioners in a module compute in a dtype.</summary>
    public static void SetDtype(nn.Module module, ScalarType? compute)
    {
        foreach (var conditioner in module.modules().OfType<Conditioner>().Where(c => c.GetType().Assembly == typeof(Conditioner).Assembly))
            foreach (var part in conditioner.modules().Append(conditioner).OfType<IHasComputeDtype>()) part.ComputeDtype = compute;
    }

    private static Tensor Convolved(Tensor input, Tensor weight, Tensor? bias, float border)
    {
        var padding = weight.shape[2] / 2;
        return padding == 1 ? ImageConvolution.Apply(input, weight, bias, border)
            : nn.functional.conv2d(input, weight, bias, padding: [padding, padding]);
    }
}
