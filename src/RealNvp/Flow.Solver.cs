using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>Samples of continuous flows by a solver that the caller chooses.</content>
public partial class Flow
{
    /// <summary>Draws examples as
    /// <see cref="Sample"/>,
    /// and lets continuous layers solve by a method, a number of steps or a tolerance of yours: fewer
    /// steps are faster and less exact. Without log-determinants, and without gradients.</summary>
    /// <param name="solver">How to solve, such as <c>new OdeOptions { Method =
    /// OdeMethod.Midpoint, Steps = 8 }</c>. Its error weights must be null.</param>
    /// <param name="count">N, the number of examples, for each context if there are contexts; 0 or more.</param>
    /// <param name="context">(M, C) for a conditional flow.</param>
    /// <param name="temperature">Scales the latents; 1 is the model, smaller values give more typical examples. Positive or 0.</param>
    /// <param name="seed">Makes the result repeatable; null draws from torch's generator.</param>
    /// <returns>(N, ...), or (M, N, ...) with contexts. The caller disposes it.</returns>
    /// <exception cref="ArgumentException">No layer of the flow solves a
    /// differential equation, or an option is out of its range.</exception>
    public Tensor SampleWith(OdeOptions solver, long count, Tensor? context = null, double temperature = 1, long? seed = null)
    {
        ArgumentNullException.ThrowIfNull(solver);
        CheckSolver(solver, nameof(solver));
        using var solving = PassState.SolveBy(solver);
        return Sample(count, context, temperature, seed);
    }

    /// <summary>Throws if no layer would ask the solver, or if it is not for the layers of a flow.</summary>
    internal void CheckSolver(OdeOptions solver, string parameter)
    {
        if (!bijection.modules().Append(bijection).Any(m => m is IFollowsVelocity))
            throw new ArgumentException(
                $"No layer of the {GetName()} solves a differential equation, so a solver does nothing. Leave it out.", parameter);
        if (solver.ErrorWeights is not null)
            throw new ArgumentException(
                $"{nameof(OdeOptions)}.{nameof(OdeOptions.ErrorWeights)} is for equations of your own; a flow needs null.", parameter);
        solver.Validate(LatentShape.NumElements);
    }
}
