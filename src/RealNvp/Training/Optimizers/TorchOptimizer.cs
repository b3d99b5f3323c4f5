using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Lets a <see cref="Trainer"/> train with an optimizer of TorchSharp, such as
/// <c>torch.optim.SGD</c> or <c>torch.optim.AdamW</c>, or with one that derives from its classes.</summary>
/// <remarks>
/// <para>The trainer's learning rate and schedule set that of the first group
/// of parameters; those of other groups keep their ratio to it.</para>
/// <para>The state in a checkpoint is all tensors and numbers that the optimizer holds for each parameter, so training
/// resumes to the same bit. Settings such as a momentum are no part of it: the code that makes the optimizer gives them
/// again. An optimizer that holds its state elsewhere cannot save it (<see cref="CanSaveState"/>).</para>
/// <para>TorchSharp's optimizers make native objects in each step, which
/// the trainer's collections free. Not safe for concurrent use.</para>
/// </remarks>
public sealed class TorchOptimizer : IOptimizer
{
    private readonly optim.Optimizer optimizer;
    private readonly double[] ratios;
    private readonly TorchOptimizerState? state;

    /// <summary>Takes over an optimizer, which is disposed with this.</summary>
    /// <param name="optimizer">An optimizer of the parameters that the trainer gives, on the device that they will keep.</param>
    /// <exception cref="ArgumentException">The optimizer needs to compute the loss
    /// itself, as LBFGS does; or its first group has a learning rate of 0.</exception>
    public TorchOptimizer(optim.Optimizer optimizer)
    {
        ArgumentNullException.ThrowIfNull(optimizer);
        Name = optimizer.GetType().Name;
        if (optimizer is TorchSharp.Modules.LBFGS)
            throw new ArgumentException(
                $"{Name} computes the loss several times in a step, which a training on batches has no use for. Take another optimizer.",
                nameof(optimizer));
        this.optimizer = optimizer;
        var rates = optimizer.ParamGroups.Select(g => g.LearningRate).ToArray();
        if (rates.Length == 0 || !(rates[0] > 0))
            throw new ArgumentException(
                $"The first group of {Name} must have a positive learning rate, to which those of other groups keep their ratio.",
                nameof(optimizer));
        ratios = Array.ConvertAll(rates, r => r / rates[0]);
        state = TorchOptimizerState.Of(optimizer);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public bool CanSaveState => state is not null;

    /// <inheritdoc/>
    public void ZeroGradients() => optimizer.zero_grad();

    /// <inheritdoc/>
    public void TakeStep(double learningRate)
    {
        Require.NotNegative(learningRate, nameof(learningRate));
        var i = 0;
        foreach (var group in optimizer.ParamGroups) group.LearningRate = learningRate * ratios[i++];
        optimizer.step()?.Dispose();
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, Tensor> StateDict() => State.Read();

    /// <inheritdoc/>
    public void LoadStateDict(IReadOnlyDictionary<string, Tensor> state)
    {
        ArgumentNullException.ThrowIfNull(state);
        State.Write(state, Name);
    }

    /// <summary>Disposes the optimizer. The parameters stay as they are.</summary>
    public void Dispose() => optimizer.Dispose();

    private TorchOptimizerState State => state ?? throw new NotSupportedException($"{Name} does not tell its state.");
}
