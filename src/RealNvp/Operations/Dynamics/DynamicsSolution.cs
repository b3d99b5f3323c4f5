using System.Numerics;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>The end of a solve, or of one example that failed.</summary>
/// <param name="Value">y at the end (N, M).</param>
/// <param name="Accepted">The accepted steps of each example.</param>
/// <param name="Rejected">Those that were rejected.</param>
/// <param name="Evaluations">How often f would be called for all examples together.</param>
/// <param name="Failed">The example that failed first; null if all are done.</param>
internal sealed record DynamicsSolution(Tensor Value, long[] Accepted, long[] Rejected, long Evaluations, DynamicsFailure? Failed);

/// <summary>Where a solve ended before its time.</summary>
internal sealed record DynamicsFailure(long Status, long Example, double Time, double Step, long Component);
