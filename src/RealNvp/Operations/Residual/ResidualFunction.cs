using System.Numerics;
using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>
/// A residual block as one node of autograd, from the weights as they are learned. Arguments: the tensors of <see cref="ResidualTensors"/>;
/// the network, the singular values, whether there is a shift, whether the log-determinant is wanted.
/// </summary>
internal sealed class ResidualFunction : KernelFunction<ResidualFunction>
{
    private const string ProgramKey = "program", NormsKey = "norms", ShiftKey = "shift", LogDetKey = "logDet";

    protected override bool OwnsGradients => true;

    protected override List<Tensor> Compute(autograd.AutogradContext context, object[] arguments)
    {
        var (program, norms) = ((ResidualProgram)arguments[^4], (SpectralPair?[])arguments[^3]);
        var (hasShift, wantsLogDet) = ((bool)arguments[^2], (bool)arguments[^1]);
        var all = new List<Tensor>(arguments.Length);
        for (var i = 0; i < arguments.Length - 4; i++) all.Add((Tensor)arguments[i]);
        Tensor? tape = null;
        var (z, logDet) = ResidualBlock.Forward(ResidualTensors.From(program, all, hasShift, norms), wantsLogDet,
            size => tape = empty(size, dtype: all[0].dtype, device: all[0].device));
        all.Add(tape!);
        context.save_data(ProgramKey, program);
        context.save_data(NormsKey, norms);
        context.save_data(ShiftKey, hasShift);
        context.save_data(LogDetKey, wantsLogDet);
        context.save_for_backward(all);
        return logDet is null ? [z] : [z, logDet];
    }

    protected override List<Tensor?> Differentiate(autograd.AutogradContext context, List<Tensor> gradients)
    {
        var (program, norms) = ((ResidualProgram)context.get_data(ProgramKey), (SpectralPair?[])context.get_data(NormsKey));
        var (hasShift, wantsLogDet) = ((bool)context.get_data(ShiftKey), (bool)context.get_data(LogDetKey));
        var saved = context.get_saved_variables();
        var tape = saved[^1];
        saved.RemoveAt(saved.Count - 1);
        List<Tensor?> results;
        if (is_grad_enabled())
            results = KernelReference.Differentiate(
                all => ResidualReference.Run(ResidualTensors.From(program, all, hasShift, norms), wantsLogDet), saved, gradients);
        else
        {
            var tensors = ResidualTensors.From(program, saved, hasShift, norms);
            results = saved[0].dtype == ScalarType.Float32 ? Gradients<float>(tensors, saved, tape, gradients)
                : Gradients<double>(tensors, saved, tape, gradients);
        }
        results.AddRange([null, null, null, null]);
        return results;
    }

    private static unsafe List<Tensor?> Gradients<T>(ResidualTensors tensors, List<Tensor> saved, Tensor tape, List<Tensor> gradients)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var layers = tensors.Weights.Length;
        var to = new ResidualGradients<T>(layers) { Norms = tensors.Norms };
        var results = saved.ConvertAll(t => t.requires_grad ? empty_like(t, requires_grad: false) : null);
        T* Place(int i) => results[i] is { } wanted ? KernelMemory.Pointer<T>(wanted) : null;
        to.X = Place(0);
        var at = 1;
        if (tensors.Shift is not null) to.Shift = Place(at++);
        var ofBetas = new Tensor?[layers];
        for (var i = 0; i < layers; i++)
        {
            to.Weights[i] = Place(at++);
            to.Biases[i] = Place(at++);
            if (tensors.Betas[i] is not null) ofBetas[i] = results[at++];
        }
        var logDet = gradients.Count > 1 ? gradients[1] : null;
        using var ofZ = gradients[0].contiguous();
        ResidualBackward.Run(ResidualBlock.Call<T>(tensors, logDet is not null), KernelMemory.Pointer<T>(tape),
            KernelMemory.Pointer<T>(ofZ), logDet is null ? null : KernelMemory.Pointer<T>(logDet), logDet is null ? 0
            : (nint)logDet.stride(0), to);
        // the derivative of softplus is σ
        for (var i = 0; i < layers; i++)
            if (ofBetas[i] is { } ofBeta)
                *KernelMemory.Pointer<T>(ofBeta) = T.CreateTruncating(to.Betas[i]
                    / (1 + Math.Exp(-double.CreateTruncating(*KernelMemory.Pointer<T>(tensors.Betas[i]!)))));
        GC.KeepAlive(saved);
        GC.KeepAlive(gradients);
        return results;
    }
}
