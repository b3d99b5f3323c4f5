using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class Trainer
{
    /// <summary>
    /// Fits the layers of a flow that take numbers from data (<see cref="IFitsData"/>), as <see cref="Fit"/> does
    /// before its first step: for a training loop of your own, or to fit them to other data than those of the training.
    /// </summary>
    /// <param name="flow">The flow, on its device and in its dtype. Its weights stay as they are.</param>
    /// <param name="data">The examples. A data loader is enumerated once for each such layer, and once more to find them.</param>
    /// <param name="again">
    /// Fits layers again that are fitted. The weights of a trained flow
    /// belong to the numbers that it was trained with: train on afterwards.
    /// </param>
    /// <returns>What the caller should know, such as the name of a layer
    /// that the data do not reach; empty if there is nothing.</returns>
    /// <exception cref="ArgumentException">The data do not fit the flow; nothing has been changed.</exception>
    public static IReadOnlyList<string> FitLayers(Flow flow, TrainingData data, bool again = false)
    {
        ArgumentNullException.ThrowIfNull(flow);
        ArgumentNullException.ThrowIfNull(data);
        data.CheckAlive(nameof(data));
        using var gradients = GradientMode.Enter();
        return LayerFitting.Fit(flow, data, again, $"{nameof(Trainer)}.{nameof(FitLayers)}", null, CancellationToken.None);
    }

    private void CheckFits(TrainingData data, string parameter)
    {
        if (Objective.UsesExamples != data.HasExamples)
            throw new ArgumentException(Objective.UsesExamples
                ? $"The objective {Objective.Name} learns from examples, but {parameter} has none. Pass " +
                    $"{nameof(TrainingData)}.{nameof(TrainingData.From)} or {nameof(TrainingData.FromBatches)}."
                : $"The objective {Objective.Name} draws its examples itself and would not look at those of {parameter}. Pass " +
                    $"{nameof(TrainingData)}.{nameof(TrainingData.None)}, or {nameof(TrainingData.FromContexts)} for a conditional flow.",
                    parameter);
        if (Objective.Traits.DataAreFlowInputs && data.Whole is { } whole)
            flow.CheckData(whole.X, whole.Context, $"{nameof(Trainer)}.{nameof(Fit)} ({parameter})");
    }

    // other data are no mistake, as of who trains on with new ones, but nobody should do so unawares
    private void Recognize(TrainingData data)
    {
        var mark = data.Mark;
        if (state.Step > 0 && mark is not null && dataMark is not null && mark != dataMark)
            Warn($"The examples are not those of the checkpoint: it was written in a training on {FileText.Sentence(dataMark)}; now they " +
                $"are {mark}. The training goes on with these, so losses before and after are not of the same data.");
        dataMark = mark;
    }

    // false if it was cancelled
    private bool FitLayersAlone(TrainingData data, CancellationToken cancellationToken)
    {
        try
        {
            FitLayersFirst(data, null, cancellationToken);
            return true;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested) { return false; }
    }

    private void FitLayersFirst(TrainingData data, ProcessGroup? group, CancellationToken cancellationToken)
    {
        var flowInputs = Objective.Traits.DataAreFlowInputs;
        if (!data.HasExamples) LayerFitting.FitContexts(flow, data, group);
        foreach (var name in LayerFitting.Unfitted(modules, ofFlow: data.HasExamples && !flowInputs))
            Warn($"{name} takes numbers from data and has none: the objective {Objective.Name} does not say which data those are. Fit " +
                $"it before training: {nameof(Trainer)}.{nameof(FitLayers)}, or the layer's own method.");
        if (!flowInputs) return;
        if (data.Whole is not null) foreach (var warning in DataScan.Of(flow, data, group)) Warn(warning);
        foreach (var warning in LayerFitting.Fit(flow, data, again: false, $"{nameof(Trainer)}.{nameof(Fit)}", group, cancellationToken))
            Warn(warning);
    }
}
