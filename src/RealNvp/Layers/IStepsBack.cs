using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A layer that goes back from its output to its input and to the gradients with less
/// work than its inverse and itself, in <see cref="Flow.ReversibleTraining"/>.</summary>
/// <remarks>
/// Nothing needs it: a layer without it is rebuilt by its inverse and computed again. It pays where the
/// inverse and the gradients share work, as in a coupling, whose network then runs once instead of twice.
/// </remarks>
public interface IStepsBack
{
    /// <summary>One step of the backward pass. Runs in a dispose scope and without gradients; dispose none of the arguments.</summary>
    /// <param name="backward">The context, the gradient of the log-determinants, and where the gradients of weights go.</param>
    /// <param name="output">What the layer gave, (N, ...).</param>
    /// <param name="gradient">The gradient of the loss with respect to the output.</param>
    /// <param name="inverse">Whether the layer's Inverse gave the output; its Forward otherwise.</param>
    /// <returns>The layer's input, and the gradient of the loss with respect to it.</returns>
    (Tensor Input, Tensor Gradient) StepBack(BackwardStep backward, Tensor output, Tensor gradient, bool inverse);
}
