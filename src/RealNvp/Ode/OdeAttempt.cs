using static TorchSharp.torch;

namespace RealNvp.Ode;

/// <summary>A step that was computed, and not yet taken.</summary>
/// <param name="Next">The state after it (n, M).</param>
/// <param name="EndSlope">f there; null if it is not known.</param>
/// <param name="Slopes">The slopes of its stages, for the error and the dense output: the last is that at the end if there is one.</param>
internal readonly record struct OdeAttempt(Tensor Next, Tensor? EndSlope, IReadOnlyList<Tensor> Slopes);
