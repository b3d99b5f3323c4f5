using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>A layer whose weights are set from the first batch of training, as those of <see cref="ActNorm"/>.</summary>
internal interface ISetByFirstBatch
{
    bool IsSet { get; }

    /// <summary>The weights that the first batch sets. Whether it did is in a buffer.</summary>
    IEnumerable<Tensor> SetTensors { get; }

    /// <summary>Looks into the buffer again: it was put back.</summary>
    void Forget();
}
