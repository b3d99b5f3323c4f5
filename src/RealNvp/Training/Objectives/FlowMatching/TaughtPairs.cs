using RealNvp.Internal;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The latents to which another flow maps data: the coupling of reflow.</summary>
internal sealed class TaughtPairs
{
    private readonly Flow teacher;
    private readonly OdeOptions? solver;

    /// <param name="teacher">The other flow; the caller's.</param>
    /// <param name="solver">How its continuous layers solve; null for their own way.</param>
    public TaughtPairs(Flow teacher, OdeOptions? solver)
    {
        ArgumentNullException.ThrowIfNull(teacher);
        ModuleLife.Alive(teacher, nameof(teacher), nameof(Objective.Reflow));
        if (solver is not null) teacher.CheckSolver(solver, nameof(solver));
        (this.teacher, this.solver) = (teacher, solver);
    }

    /// <summary>Throws if the other flow has other data, latents or contexts than this one, or is this one.</summary>
    public void Require(Flow flow, string owner)
    {
        if (ReferenceEquals(flow, teacher))
            throw new ArgumentException(
                $"{owner} needs a teacher that does not change while it trains; got the {flow.GetName()} that is trained. Build a new " +
                $"one with the same options, and load its weights into it to go on from them.", nameof(flow));
        if (teacher.InputShape != flow.InputShape || teacher.LatentShape != flow.LatentShape)
            throw new ArgumentException(
                $"{owner} needs a teacher for examples of shape {flow.InputShape} and latents of shape {flow.LatentShape}; the " +
                $"{teacher.GetName()} has {teacher.InputShape} and {teacher.LatentShape}.", nameof(flow));
        if (teacher.ContextSize > 0 && flow.ContextSize == 0)
            throw new ArgumentException(
                $"{owner}: the {teacher.GetName()} that teaches takes contexts, and the {flow.GetName()} that is trained has none.",
                    nameof(flow));
    }

    /// <summary>The latents of a batch, without gradients, in the caller's scope. The noise of a
    /// dequantization is that of the seed, as for the flow that is trained.</summary>
    public Tensor Latents(TrainingBatch batch, long seed, ScalarType dtype)
    {
        using var gradients = no_grad();
        using var solving = solver is null ? default(IDisposable) : PassState.SolveBy(solver);
        return teacher.Encode(batch.X, teacher.ContextSize > 0 ? batch.Context : null, seed: seed).to(dtype);
    }
}
