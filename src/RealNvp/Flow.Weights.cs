using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>Weights in a file, for flows that you compose; a <see cref="FlowModel"/> is saved whole.</content>
public partial class Flow
{
    /// <summary>Writes all weights and buffers to a file, as safetensors. The file is replaced in one step.</summary>
    /// <param name="path">The file, usually <c>*.safetensors</c>.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="ObjectDisposedException">The flow or a part of it is disposed; a file that is there stays as it is.</exception>
    public void SaveWeights(string path)
    {
        using var scope = NewDisposeScope();
        SafeTensors.Save(path, new Dictionary<string, Tensor>(ModelFile.Prefixed(ModelFile.ModelPrefix, LivingState())), ModelFile.Metadata(this));
    }

    /// <summary>Reads weights and buffers that <see cref="SaveWeights"/>, a <see cref="Trainer"/> or <see cref="FlowModel.Save"/> wrote for a flow of the same layers.</summary>
    /// <remarks>
    /// Names, shapes and the laws of buffers (<see cref="IStateLaws"/>) are checked first: if it throws, the flow is as it was. Weights are converted to the dtype and device of the flow's.
    /// A training checkpoint gives the weights that validated best, else the averaged ones, else the last ones.
    /// </remarks>
    /// <param name="path">The file.</param>
    /// <exception cref="InvalidDataException">The file is damaged, or does not fit the flow; the message names the weight.</exception>
    /// <exception cref="ObjectDisposedException">The flow or a part of it is disposed.</exception>
    public void LoadWeights(string path)
    {
        CheckAlive();
        ModelFile.CheckHeader(SafeTensors.ReadHeader(path), path);
        using var file = SafeTensors.Load(path);
        ModelFile.LoadBest(this, file, path);
    }
}
