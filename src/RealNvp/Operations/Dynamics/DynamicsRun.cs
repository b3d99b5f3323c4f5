using RealNvp.Kernels;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>What a solve is, beside its numbers.</summary>
/// <param name="Program">The network.</param>
/// <param name="Divergence">How the divergence is had.</param>
/// <param name="Scheme">The method.</param>
/// <param name="WithSlope">The function between the layers, and its derivative, in plain operations.</param>
internal sealed record DynamicsShape(DynamicsProgram Program, DynamicsDivergence Divergence, OdeScheme Scheme,
    Func<Tensor, (Tensor Value, Tensor Slope)> WithSlope);

/// <summary>A solve that has run.</summary>
/// <param name="Shape">What it is.</param>
/// <param name="Tensors">Seven of each layer: W, b, gate, its bias, shift,
/// and what the context adds to gate and shift; null for none.</param>
/// <param name="Value">y at the end (N, M).</param>
internal sealed record DynamicsRun(DynamicsShape Shape, IReadOnlyList<Tensor?> Tensors, Tensor Value)
{
    /// <summary>The accepted steps of each example.</summary>
    public required long[] Accepted { get; init; }

    /// <summary>Its steps that were rejected.</summary>
    public required long[] Rejected { get; init; }

    /// <summary>How often f would be called for all examples together.</summary>
    public required long Evaluations { get; init; }

    /// <summary>The example that failed first; null if all are done.</summary>
    public DynamicsFailure? Failed { get; init; }

    /// <summary>The bytes of states that were written down.</summary>
    public long Recorded { get; init; }

    /// <summary>Whether these are more than was allowed: then the solve has ended before its end, and has no value.</summary>
    public bool IsOverBudget { get; init; }

    /// <summary>The steps that were taken; null if nobody asked, or if one failed.</summary>
    public DynamicsSteps? Taken { get; init; }
}

/// <summary>Where a solve ended before its time.</summary>
internal sealed record DynamicsFailure(long Status, long Example, double Time, double Step, long Component);

/// <summary>The steps that the examples of a solve have taken, those of one example after those of the other.</summary>
/// <param name="First">The first step of each example, and the number of all (N + 1), int64.</param>
/// <param name="Steps">Time and size (S, 2), float64.</param>
/// <param name="States">The state before each (S, M).</param>
internal sealed record DynamicsSteps(Tensor First, Tensor Steps, Tensor States);
