using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class Trainer
{
    /// <summary>
    /// Fits the layers of a flow that take numbers from data (<see cref="IFitsData"/>), as <see cref="Fit"/> does before its first step: for a training loop
    /// of your own, or to fit them to other data than those of the training.
    /// </summary>
    /// <param name="flow">The flow, on its device and in its dtype. Its weights stay as they are.</param>
    /// <param name="data">The examples. A data loader is enumerated once for each such layer, and once more to find them.</param>
    /// <param name="again">
    /// Fits layers again that are fitted. The weights of a trained flow belong to the numbers that it was trained with: train on afterwards.
    /// </param>
    /// <returns>What the caller should know, such as the name of a layer that the data do not reach; empty where there is nothing.</returns>
    /// <exception cref="ArgumentException">The data do not fit the flow; nothing has been changed.</exception>
    public static IReadOnlyList<string> FitLayers(Flow flow, TrainingData data, bool again = false)
    {
        ArgumentNullException.ThrowIfNull(flow);
        ArgumentNullException.ThrowIfNull(data);
        data.CheckAlive(nameof(data));
        using var gradients = GradientMode.Enter();
        return LayerFitting.Fit(flow, data, again, $"{nameof(Trainer)}.{nameof(FitLayers)}", CancellationToken.None);
    }

    private void CheckData(TrainingData data, string parameter)
    {
        if (data is TensorData tensors) flow.CheckData(tensors.X, tensors.Context, $"{nameof(Trainer)}.{nameof(Fit)} ({parameter})");
    }

    private static void CheckTrainable(Flow flow)
    {
        foreach (var (name, parameter) in flow.named_parameters())
        {
            if (parameter.IsInvalid) throw new ObjectDisposedException(flow.GetName(), $"The weight {name} has been disposed. Keep the flow alive while it is trained.");
            if (GradientMode.IsInference(parameter))
                throw new ArgumentException($"The weight {name} was made inside torch.inference_mode(), so it can never be trained. Build or load the flow outside of it.", nameof(flow));
        }
        if (flow.buffers().FirstOrDefault(GradientMode.IsInference) is not null)
            throw new ArgumentException($"A buffer of the flow was made inside torch.inference_mode(), so it can never be changed. Build or load the flow outside of it.", nameof(flow));
    }
}
