using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A training step between the backward pass and the optimizer: <see cref="Trainer.AfterBackward"/>.</summary>
/// <remarks>Gradients may be changed in place (<c>parameter.grad</c>), or exchanged with those of
/// other processes. They are clipped afterwards, and looked at whether they are finite.</remarks>
public sealed class GradientStep
{
    internal GradientStep(long step, TrainingBatch batch, Tensor loss, IReadOnlyList<(string Name, Parameter Parameter)> parameters) =>
        (Step, Batch, Loss, Parameters) = (step, batch, loss, parameters);

    /// <summary>The number of the step, from 0.</summary>
    public long Step { get; }

    /// <summary>The batch on the device of the flow. The trainer keeps its ownership.</summary>
    public TrainingBatch Batch { get; }

    /// <summary>The loss of the batch, without dimensions. Set it to another tensor, such as the mean of the losses
    /// of several processes, if that is to be told, counted and looked at whether it is finite.</summary>
    /// <remarks>On a GPU nothing has waited for its value: neither need the
    /// hook. A tensor that is set here is disposed with the step.</remarks>
    /// <exception cref="ArgumentException">The tensor has dimensions, or is disposed.</exception>
    public Tensor Loss
    {
        get;
        set => field = value is { IsInvalid: false } && value.dim() == 0
            ? value
            : throw new ArgumentException($"{nameof(GradientStep)}.{nameof(Loss)} must be a tensor without dimensions.", nameof(value));
    }

    /// <summary>All weights that are trained, with their names; those beside the flow are named <c>beside/NAME/...</c>.</summary>
    public IReadOnlyList<(string Name, Parameter Parameter)> Parameters { get; }
}
