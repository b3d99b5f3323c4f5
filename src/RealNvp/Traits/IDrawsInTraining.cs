namespace RealNvp;

/// <summary>A part of a network that draws random numbers in training and none in evaluation, as a dropout does.</summary>
/// <remarks>A layer that it is a part of is not repeatable then (<see cref="Bijection.IsRepeatable"/>), so reversible training keeps its
/// activations; and a differential equation refuses it. The dropouts of TorchSharp are known.</remarks>
public interface IDrawsInTraining;
