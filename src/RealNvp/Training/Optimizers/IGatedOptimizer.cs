using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>An optimizer that clips and averages in its own pass over
/// memory, and whose steps a device can refuse without the host.</summary>
internal interface IGatedOptimizer : IOptimizer
{
    /// <summary>A step with clipping and the average of the weights; the norm of
    /// the gradients, and if it is not finite, nothing was changed.</summary>
    double StepAndAverage(double learningRate, double? maxGradientNorm, WeightAverage? weights);

    /// <summary>As <see cref="StepAndAverage"/>, decided by a gate on the device.</summary>
    Tensor StepThrough(StepGate gate, Tensor loss, double learningRate, double? maxGradientNorm, WeightAverage? weights,
        Action<StepGate>? settle = null, bool keepGradients = false);

    /// <summary>How many steps the optimizer and each parameter have taken.</summary>
    long[] Counts();

    /// <summary>Forgets steps that a closed gate did not let through.</summary>
    void TakeBack(long[] counts);
}
