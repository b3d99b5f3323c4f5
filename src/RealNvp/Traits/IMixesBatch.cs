namespace RealNvp;

/// <summary>A network, or a part of one, in which the examples of a batch
/// influence each other in training, as in a batch normalization.</summary>
/// <remarks>A layer that it is a part of then says so by itself:
/// <see cref="Bijection.MixesBatchInTraining"/>. Those of TorchSharp are known.</remarks>
public interface IMixesBatch;
