using static TorchSharp.torch;

namespace RealNvp.Layers;

/// <summary>One application of a layer, for who watches it. The tensors are the layer's: they are freed soon after.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Input">What it was applied to.</param>
/// <param name="Context">The context, or null.</param>
/// <param name="Value">What it gave.</param>
/// <param name="LogDet">The log-determinant; null if it is 0 for every input.</param>
/// <param name="Inverse">The direction.</param>
internal readonly record struct LayerRun(Bijection Layer, Tensor Input, Tensor? Context, Tensor Value, Tensor? LogDet, bool Inverse);
