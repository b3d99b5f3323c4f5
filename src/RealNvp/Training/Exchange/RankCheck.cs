using RealNvp.Internal;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Refuses, by name, what would give other numbers on several processes than on one.</summary>
internal static class RankCheck
{
    /// <exception cref="NotSupportedException">Something cannot be shared by several processes.</exception>
    public static void Modules(TrainedModules modules, Objective objective, TrainingOptions options, bool data)
    {
        if (!objective.UsesExamples)
            throw new NotSupportedException(
                $"The objective {objective.Name} draws its examples itself, and each process would draw the same ones. Train it on one.");
        if (objective.Traits.MixesExamples)
            throw new NotSupportedException(
                $"In the objective {objective.Name} the loss of an example depends on others of its batch, which other processes may " +
                $"have. Train it on one process.");
        foreach (var module in modules.All)
            foreach (var (name, part) in module.named_modules().Append(("", module)))
                if (Fault(part, data) is { } fault)
                    throw new NotSupportedException($"{(name.Length > 0 ? name : "The flow")} ({part.GetName()}) {fault}");
        if (options.Reversible && modules.Parameters.Any(p => p.Parameter.device_type != DeviceType.CPU))
            throw new NotSupportedException(
                $"{nameof(TrainingOptions)}.{nameof(TrainingOptions.Reversible)} on several processes is for the CPU: on a GPU the noise " +
                $"of rows is not known where activations are computed again. Leave it out.");
    }

    private static string? Fault(nn.Module part, bool fits)
    {
        if (part is Dropout or Dropout1d or Dropout2d or Dropout3d or AlphaDropout or FeatureAlphaDropout)
            return $"draws from torch's own random numbers, which are not those of a row. Use {nameof(SeededDropout)}.";
        if (part is BatchNorm || (part is IMixesBatch && part is not ISumsBatch))
            return "takes statistics of the examples that its own process has, not of the whole batch. Use " +
                $"{nameof(ChannelBatchNorm)}, {nameof(FlowBatchNorm)} or {nameof(ActNorm)}.";
        if (part is Bijection { MixesBatchInTraining: true } and not ISumsBatch && !part.modules().Any(m => !ReferenceEquals(m, part)
            && (m is ISumsBatch or IMixesBatch or BatchNorm || m is Bijection { MixesBatchInTraining: true })))
            return "lets the examples of a batch influence each other, and does not know of those that other processes have.";
        if (fits && part is IFitsData { IsFitted: false } and not IFitsParts)
            return $"takes numbers from data, and would take them from those of its own process. Fit it before, on the process whose " +
                $"weights all get, 0: {nameof(Trainer)}.{nameof(Trainer.FitLayers)}; on the others with any data.";
        return null;
    }
}
