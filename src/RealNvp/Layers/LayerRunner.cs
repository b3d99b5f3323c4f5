using static TorchSharp.torch;

namespace RealNvp.Layers;

/// <summary>Runs layers in place of themselves, as reversible training does, which keeps none of their activations.</summary>
internal abstract class LayerRunner
{
    /// <summary>Whether it runs a layer.</summary>
    public abstract bool Takes(Bijection layer);

    /// <summary>Applies layers that it takes, in the given order.</summary>
    public abstract (Tensor Value, Tensor? LogDet) Run(Bijection[] layers, Tensor input, Pass pass, bool inverse);
}
