using RealNvp.Kernels;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>An elementwise map y = τ(x; θ) with P parameters an element: all that has to be written for one.</summary>
/// <remarks>
/// From it follow value and log-derivative, the log-determinant, gradients and their graph (<see cref="ElementwiseOperation"/>),
/// the step back of a reversible pass, and its place in a fused coupling (<see cref="CouplingPlan"/>).
/// </remarks>
internal abstract class ElementwiseMap : ElementwiseCode
{
    /// <summary>The switch of its kernel.</summary>
    public abstract bool IsOn { get; }

    /// <summary>Elements that are worth a thread of their own: of the map, and of its gradients.</summary>
    public abstract (double Forward, double Backward) Grain { get; }

    /// <summary>Elements from which on a node of its kernel costs less than the
    /// nodes of plain operations; without a graph the kernel always does.</summary>
    public virtual long LeastForGraph => 0;

    /// <summary>The learned number, one in all or one a feature or channel; null if the map has none.</summary>
    public virtual Tensor? Weight => null;

    /// <inheritdoc/>
    public sealed override bool HasWeight => Weight is not null;

    /// <summary>Whether the inverse is found by a search (<see cref="Root"/>); the kernels then compute the inverse at its root.</summary>
    public bool InverseIsSearch => RootCode is not null;

    /// <summary>The search, in float64; null if the inverse is none.</summary>
    public virtual ElementwiseCode? RootCode => null;

    /// <summary>The x with τ(x) = y, without a graph, for a map whose inverse is a search. The caller disposes it.</summary>
    public virtual Tensor Root(Tensor y, Tensor parameters) =>
        throw new NotSupportedException($"The inverse of {GetType().Name} is no search.");

    /// <summary>Throws if the largest residual of a search, NaN if one is, is not small.</summary>
    public virtual void CheckRoots(double residual) { }

    /// <summary>The map, or its inverse, in plain operations, for all devices and
    /// dtypes and for derivatives of gradients. The caller disposes both.</summary>
    /// <param name="input">(N, C, ...).</param>
    /// <param name="parameters">(N, P·C, ...).</param>
    /// <param name="weight">The learned number, as an input of its own.</param>
    /// <param name="inverse">Whether it is the inverse.</param>
    /// <param name="root">What <see cref="Root"/> gave for these; null to look for it.</param>
    public abstract (Tensor Value, Tensor LogDerivative) Reference(Tensor input, Tensor parameters, Tensor? weight, bool inverse,
        Tensor? root = null);
}
