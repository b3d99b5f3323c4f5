using static TorchSharp.torch;

namespace RealNvp;

/// <summary>What a <see cref="Trainer"/> asks of an optimizer: <see cref="AdamOptimizer"/>,
/// any of TorchSharp's by <see cref="TorchOptimizer"/>, or one of your own.</summary>
/// <remarks>The trainer clips the gradients and looks whether they are finite before it asks for a step. On a GPU it
/// waits for the norm of the gradients in each step, unless the optimizer is <see cref="AdamOptimizer"/>.</remarks>
public interface IOptimizer : IDisposable
{
    /// <summary>The name of the method, which checkpoints carry and <c>Resume</c> compares.</summary>
    string Name { get; }

    /// <summary>Whether <see cref="StateDict"/> gives all of the state. If not, a training with it writes
    /// no checkpoints: one that should is refused before it begins. True unless overridden.</summary>
    bool CanSaveState => true;

    /// <summary>Removes the gradients of all parameters, or sets them to 0.</summary>
    void ZeroGradients();

    /// <summary>Changes the parameters from their gradients, which are finite.</summary>
    /// <param name="learningRate">The learning rate of this step, at least 0.</param>
    void TakeStep(double learningRate);

    /// <summary>The state, for a checkpoint, by names of the optimizer's own.</summary>
    /// <returns>Tensors on any device. They may be those that the optimizer works with:
    /// they are read before the next step, in a dispose scope, and not changed.</returns>
    /// <exception cref="NotSupportedException"><see cref="CanSaveState"/> is false.</exception>
    IReadOnlyDictionary<string, Tensor> StateDict();

    /// <summary>Takes over a state that <see cref="StateDict"/> gave; steps then go on bit for bit as they would have.</summary>
    /// <param name="state">The state, on the CPU. It is copied.</param>
    /// <exception cref="ArgumentException">It does not fit; nothing was changed.</exception>
    void LoadStateDict(IReadOnlyDictionary<string, Tensor> state);
}
