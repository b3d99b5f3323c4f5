using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>A network of linear layers: the kernel if it can run, and else plain operations, which give the same up to rounding.</summary>
internal static class DenseNetwork
{
    /// <summary>The most inputs of a layer that the kernel takes. With more, panels leave the
    /// first-level cache, and a library that parts the inner dimension too is faster.</summary>
    public const int MostInputs = 640;

    /// <summary>The most outputs of a network that the kernel takes.</summary>
    public const int MostOutputs = 2048;

    /// <summary>Runs a network on (N, inputs); the caller disposes the result (N, outputs).</summary>
    /// <param name="program">The network.</param>
    /// <param name="all">The tensors of the call: those of <see cref="DenseTensors"/>, the input (N, inputs) first.</param>
    /// <param name="hasContext">Whether there is a context (N, context) among them.</param>
    public static Tensor Run(DenseProgram program, List<Tensor> all, bool hasContext)
    {
        using var scope = NewDisposeScope();
        if (!CanRun(program, all, hasContext))
            return scope.MoveToOuter(DenseReference.Forward(program, new DenseTensors(program, all, hasContext)));
        all[0] = Rows(all[0]);
        if (hasContext) all[1] = Rows(all[1]);
        var differentiable = is_grad_enabled() && all.Exists(t => t.requires_grad);
        return scope.MoveToOuter(differentiable
            ? DenseFunction.Apply([.. all, program, hasContext])[0]
            : DenseFunction.Forward(program, new DenseTensors(program, all, hasContext), null));
    }

    /// <summary>Whether the kernel can run on these tensors; they are those of <see cref="DenseTensors"/>.</summary>
    /// <param name="program">The network.</param>
    /// <param name="all">The tensors.</param>
    /// <param name="hasContext">Whether there is a context among them.</param>
    /// <param name="columns">Those of the input, where it is more than what the network reads; 0 if it is just that.</param>
    internal static bool CanRun(DenseProgram program, List<Tensor> all, bool hasContext, int columns = 0)
    {
        if (!KernelSwitches.Dense || !LaneWidth.ServesProducts || !program.LastIsActivated) return false;
        if (!IsMatrix(all[0], columns > 0 ? columns : program.Inputs) || all[0].size(0) is 0 or > int.MaxValue) return false;
        if (program.MostInputs > MostInputs || program.Outputs > MostOutputs) return false;
        if (hasContext && !(IsMatrix(all[1], program.Context) && all[1].size(0) == all[0].size(0))) return false;
        var at = hasContext ? 2 : 1;
        if (hasContext && !KernelMemory.Is(all[at++], ScalarType.Float32, program.Layers[0].Outputs, program.Context)) return false;
        foreach (var layer in program.Layers)
            if (!KernelMemory.Is(all[at++], ScalarType.Float32, layer.Outputs, layer.Inputs)
                    || !KernelMemory.Is(all[at++], ScalarType.Float32, layer.Outputs))
                return false;
        for (var i = 0; at < all.Count; i++)
            if (!KernelMemory.Is(all[at++], ScalarType.Float32, program.Layers[i].Outputs, program.Layers[i].Inputs)) return false;
        return true;
    }

    /// <summary>Whether a matrix is one of float32 numbers on the CPU, with so many columns.</summary>
    internal static bool IsMatrix(Tensor matrix, long columns) =>
        matrix.dtype == ScalarType.Float32 && matrix.device_type == DeviceType.CPU && !matrix.is_sparse && matrix.dim() == 2
            && matrix.size(1) == columns;

    // a kernel takes any distance between rows, but the numbers of a row must lie together
    internal static Tensor Rows(Tensor matrix) => matrix.stride(1) == 1 ? matrix : matrix.contiguous();
}
