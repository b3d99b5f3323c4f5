using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A module whose state obeys laws: only some values of a buffer are a
/// state that it could have saved, as for a permutation or a sign.</summary>
/// <remarks>
/// <see cref="FlowModel.Load(string, Device)"/>, <see cref="Flow.LoadWeights(string)"/> and
/// <see cref="Trainer.Resume(string, Device, Func{TrainingOptions, TrainingOptions}, TrainerParts)"/> ask
/// every part of a flow that is one, yours too, before anything is changed: a flow with another value would
/// give a density that is none. It may be a layer, a network of a layer, a density or an encoder.
/// </remarks>
public interface IStateLaws
{
    /// <summary>What is wrong with a state that is about to be loaded.</summary>
    /// <param name="state">
    /// The module's own weights and buffers by their keys in its state dict, without those of its parts; of the
    /// shapes of the module's, on the CPU, in the dtype of the file. A checkpoint of a training has averages too,
    /// which lack buffers of integers and bools: leave out what is not there. Change nothing, and dispose none.
    /// </param>
    /// <returns>What was found and what was expected, to end a sentence such as "The state of layer 3 is
    /// damaged: sign has the value 7 at position 0; expected 1 or -1". Null if all is well.</returns>
    string? FaultIn(IReadOnlyDictionary<string, Tensor> state);
}
