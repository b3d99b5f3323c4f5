using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class RealNvpModel
{
    /// <summary>Writes the model to one self-describing file: options and weights, as safetensors. The file is replaced in one step.</summary>
    /// <param name="path">The file, usually <c>*.safetensors</c>. An older one stays whole until the new one is complete.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save(string path)
    {
        using var scope = NewDisposeScope();
        SafeTensors.Save(path, new Dictionary<string, Tensor>(ModelFile.Prefixed(ModelFile.ModelPrefix, state_dict())), ModelFile.Metadata(this));
    }

    /// <summary>Reads a model that <see cref="Save"/> or a <see cref="Trainer"/> wrote; nothing else is needed. It comes in evaluation mode.</summary>
    /// <remarks>A training checkpoint gives the weights that validated best, else the averaged ones, else the last ones.</remarks>
    /// <param name="path">The file.</param>
    /// <param name="device">Where to put the model; null for the CPU.</param>
    /// <exception cref="InvalidDataException">The file is damaged, or describes a model that does not fit its weights. Nothing large was allocated.</exception>
    public static RealNvpModel Load(string path, Device? device = null) => ModelFile.LoadModel(path, device);
}
