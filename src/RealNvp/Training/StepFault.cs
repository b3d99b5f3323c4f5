using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Finds out why a step failed, names the layer or the weight, and puts statistics back to those before it.</summary>
/// <param name="flow">The flow, with the weights before the step.</param>
/// <param name="optimizer">What changes its weights.</param>
/// <param name="state">Where the training stands: before the step.</param>
/// <param name="statistics">The statistics before the step.</param>
internal sealed class StepFault(Flow flow, AdamOptimizer optimizer, TrainerState state, BufferSnapshot statistics)
{
    /// <summary>The error of a step that a device was asked for.</summary>
    public NonFiniteException Of(PendingStep step, double loss, double norm)
    {
        using var scope = NewDisposeScope();
        var (input, given) = step.Data;
        statistics.Restore();
        if (!double.IsFinite(loss)) return OfLoss(input, given, step.Seed, loss);
        // the gradients of the step are gone, but the weights are those that it had
        using var now = new BufferSnapshot(flow);
        optimizer.ZeroGradients();
        flow.NegativeLogLikelihood(input, given, step.Seed).backward();
        KernelFault.Throw();
        return OfGradient(now, norm);
    }

    /// <summary>The error of a step whose layer has no inverse.</summary>
    public NonFiniteException NoInverse(NoInverseException cause, long step)
    {
        statistics.Restore();
        var error = flow.NoInverse($"Training in epoch {state.Epoch + 1}, step {step + 1}", cause);
        return new NonFiniteException($"{error.Message} The weights are those before the step.", error.Layer, cause);
    }

    /// <summary>The error of a step whose loss is not finite.</summary>
    public NonFiniteException OfLoss(Tensor x, Tensor? context, long seed, double loss)
    {
        statistics.Restore();
        if (x.is_floating_point() && !Numbers.AreFinite(x))
            return new NonFiniteException($"The loss became {loss} in {Place}: {Check.Rows(x.isfinite().logical_not().flatten(1).any(1), verbs: ("of the batch holds", "of the batch hold"))} NaN or infinity. The weights are those before the step. Remove or replace these values.", nameof(x));
        using var now = new BufferSnapshot(flow);
        var fault = Diagnosis.FirstLayer(flow, () => flow.NegativeLogLikelihood(x, context, seed));
        now.Restore();
        var parameter = Diagnosis.FirstParameter(flow, gradients: false);
        var outside = parameter is null && double.IsPositiveInfinity(loss) ? Diagnosis.Outside(flow, x, context, seed) : null;
        // each look was a training pass
        now.Restore();
        if (outside is not null)
            return new NonFiniteException($"The loss became {loss} in {Place}: {outside}. The weights are those before the step. Leave such rows out, scale the data, or choose a base density or layers that reach them.", nameof(Flow.BaseDensity));
        var layer = parameter ?? fault?.Layer ?? "base_density";
        var what = parameter is not null ? $"The weight {parameter} is not finite" : fault is { } f ? $"The first layer at fault is {f.Layer}: its {f.What} is not finite" : "The log-probability of the latents is not finite";
        return new NonFiniteException($"The loss became {loss} in {Place}. {what}. The weights are those before the step. Use a smaller learning rate, a smaller {nameof(TrainingOptions.MaxGradientNorm)}, or look for extreme values in the data.", layer);
    }

    /// <summary>The error of a step whose gradients are not finite; they are still there.</summary>
    public NonFiniteException OfGradient(BufferSnapshot before, double norm)
    {
        before.Restore();
        var parameter = Diagnosis.FirstParameter(flow, gradients: true) ?? "unknown";
        return new NonFiniteException($"The gradient's norm became {norm} in {Place}; the first weight at fault is {parameter}. The weights are those before the step. Use a smaller learning rate, or look for extreme values in the data.", parameter);
    }

    private string Place => $"epoch {state.Epoch + 1}, step {state.Step + 1}";
}
