using static TorchSharp.torch;

namespace RealNvp.Layers;

/// <summary>What layers need beside their output to be computed again in the same way. The
/// leaves of a composition open and close frames on it; parts of them write and read.</summary>
internal abstract class PassTape
{
    /// <summary>True while layers are computed again: statistics come from the tape, and nothing is updated.</summary>
    public abstract bool IsReplaying { get; }

    /// <summary>Whether two layers may run together.</summary>
    public abstract bool Joins(Bijection layer, Bijection before, bool inverse);

    /// <summary>Opens the frame of a layer that runs, and of the one that runs together with
    /// it. False, and nothing to close, within another layer and in a backward pass.</summary>
    public abstract bool Begin(Bijection layer, Bijection? before, Tensor input, bool inverse);

    /// <summary>Takes the frame back that was opened last, as if it had never been: nothing ran in it.</summary>
    public abstract void Cancel();

    /// <summary>Closes the open frame.</summary>
    public abstract void End();

    /// <summary>Keeps statistics of a part of the layer that runs; the tape takes the tensors over.</summary>
    public abstract void Write(nn.Module part, params ReadOnlySpan<Tensor> values);

    /// <summary>The statistics of a part, visit by visit in the order of the pass, or from its end if the pass is undone.</summary>
    public abstract Tensor[] Read(nn.Module part, int count, bool fromEnd = false);
}
