using System.Globalization;
using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Finds out why a step failed, names the layer or the weight, and puts statistics back to those before it.</summary>
/// <param name="modules">What is trained, with the weights before the step.</param>
/// <param name="objective">What is made small.</param>
/// <param name="optimizer">What changes the weights.</param>
/// <param name="state">Where the training stands: before the step.</param>
/// <param name="statistics">The statistics before the step.</param>
internal sealed class StepFault(TrainedModules modules, Objective objective, IOptimizer optimizer, TrainerState state,
    BufferSnapshot statistics)
{
    /// <summary>The error of a step that a device was asked for.</summary>
    public NonFiniteException Of(TakenStep taken)
    {
        using var scope = NewDisposeScope();
        var batch = taken.Step.Batch;
        statistics.Restore();
        if (!double.IsFinite(taken.Loss)) return OfLoss(batch, taken.Step.Seed, taken.Loss);
        // the gradients of the step are gone, but the weights are those that it had
        using var now = new BufferSnapshot(modules.All);
        optimizer.ZeroGradients();
        BatchLoss.Mean(BatchLoss.Of(objective, modules.Flow, batch, taken.Step.Seed), batch).backward();
        KernelFault.Throw();
        return OfGradient(now, taken.Norm);
    }

    /// <summary>The error of a step whose layer has no inverse.</summary>
    public NonFiniteException NoInverse(NoInverseException cause, long step)
    {
        statistics.Restore();
        var error = modules.Flow.NoInverse($"Training in epoch {state.Epoch + 1}, step {step + 1}", cause);
        return new NonFiniteException($"{error.Message} {Before}", error.Layer, cause);
    }

    /// <summary>The error of a step with an equation that is not solved.</summary>
    public OdeException Unsolved(OdeException cause, long step)
    {
        statistics.Restore();
        return modules.Flow.Unsolved($"Training in epoch {state.Epoch + 1}, step {step + 1}", cause,
            $"{Before} Use a smaller learning rate, or an objective that keeps paths straight, such as a regularized likelihood.");
    }

    /// <summary>The error of a step whose loss is not finite.</summary>
    public NonFiniteException OfLoss(TrainingBatch batch, long seed, double loss)
    {
        statistics.Restore();
        var became = string.Create(CultureInfo.InvariantCulture, $"The loss became {loss} in {Place}");
        if (batch.XOrNull is { } x && x.is_floating_point() && !Numbers.AreFinite(x))
        {
            var rows = Check.Rows(x.isfinite().logical_not().flatten(1).any(1), verbs: ("of the batch holds", "of the batch hold"));
            return new NonFiniteException($"{became}: {rows} NaN or infinity. {Before} Remove or replace these values.", nameof(x));
        }
        using var now = new BufferSnapshot(modules.All);
        var fault = Diagnosis.FirstLayer(modules.Flow, () => objective.Loss(modules.Flow, batch, seed).Dispose());
        now.Restore();
        var parameter = modules.FirstNotFinite(gradients: false);
        var explained = parameter is null && Explains(fault is not null, loss) ? objective.Explain(modules.Flow, batch, seed) : null;
        // each look was a training pass
        now.Restore();
        var likelihood = objective.Traits.IsLogLikelihood;
        if (explained is not null)
            return new NonFiniteException($"{became}: {explained}. {Before}", likelihood ? nameof(Flow.BaseDensity) : objective.Name);
        var layer = parameter ?? fault?.Layer ?? (likelihood ? "base_density" : objective.Name);
        var what = parameter is not null ? $"The weight {parameter} is not finite"
            : fault is { } f ? $"The first layer at fault is {f.Layer}: its {f.What} is not finite"
            : likelihood ? "The log-probability of the latents is not finite"
            : $"The values of all layers are finite, but what {objective.Name} makes of them is not";
        return new NonFiniteException(
            $"{became}. {what}. {Before} Use a smaller learning rate, a smaller {nameof(TrainingOptions.MaxGradientNorm)}, or look for " +
            $"extreme values in the data.", layer);
    }

    // examples outside of the support have an infinite likelihood although a layer
    // says so; otherwise a layer at fault says more than the objective can
    private bool Explains(bool hasLayer, double loss) => objective.Traits.IsLogLikelihood ? double.IsPositiveInfinity(loss) : !hasLayer;

    /// <summary>The error of a step whose gradients are not finite; they are still there.</summary>
    public NonFiniteException OfGradient(BufferSnapshot before, double norm)
    {
        before.Restore();
        var parameter = modules.FirstNotFinite(gradients: true) ?? "unknown";
        return new NonFiniteException(
            string.Create(CultureInfo.InvariantCulture,
                $"The gradient's norm became {norm} in {Place}; the first weight at fault is {parameter}. {Before} Use a smaller " +
                $"learning rate, or look for extreme values in the data."), parameter);
    }

    private const string Before = "The weights are those before the step.";

    private string Place => $"epoch {state.Epoch + 1}, step {state.Step + 1}";
}
