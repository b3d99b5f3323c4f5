using RealNvp.Internal;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A step of any optimizer as the trainer promises it: gradients
/// are clipped, and where they are not finite nothing changes.</summary>
internal static class ClippedStep
{
    /// <returns>The norm of all gradients before clipping.</returns>
    public static double Take(IOptimizer optimizer, IReadOnlyList<(string Name, Parameter Parameter)> parameters, double learningRate,
        double? maxGradientNorm, WeightAverage? average)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var gradients = parameters.Select(p => p.Parameter.grad).OfType<Tensor>().ToArray();
        var norm = Norm(gradients);
        if (!double.IsFinite(norm)) return norm;
        // 1e-6 as in PyTorch's clip_grad_norm_
        if (maxGradientNorm is { } most && most / (norm + 1e-6) is < 1 and var scale)
        {
            using var factor = Scalars.New(scale);
            foreach (var gradient in gradients) gradient.mul_(factor);
        }
        optimizer.TakeStep(learningRate);
        average?.Update();
        return norm;
    }

    private static double Norm(Tensor[] gradients)
    {
        if (gradients.Length == 0) return 0;
        var device = gradients[0].device;
        var norms = Array.ConvertAll(gradients, g => g.norm().to(device));
        return stack(Array.ConvertAll(norms, n => n.to(norms[0].dtype))).norm().FetchDouble();
    }
}
