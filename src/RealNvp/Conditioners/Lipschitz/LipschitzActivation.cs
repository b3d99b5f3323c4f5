using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>An activation f with |f(x) − f(y)| ≤ |x − y| and a continuous derivative, as networks of residual layers need it.</summary>
/// <remarks>Each place of a network has a module of its own: one with weights learns them for its place.</remarks>
public abstract partial class LipschitzActivation : nn.Module<Tensor, Tensor>, ILipschitz, IActivation
{
    private protected LipschitzActivation(string name) : base(TorchBackend.Checked(name)) { }

    /// <summary>How many outputs an input has: 1, or 2 if both signs are kept;
    /// they are joined along the first dimension behind the batch.</summary>
    public virtual int Outputs => 1;

    /// <summary>1, in the 2-norm.</summary>
    public double LipschitzBound => 1;

    /// <summary>Makes an activation.</summary>
    /// <param name="kind">Which one.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is unknown.</exception>
    public static LipschitzActivation Create(ActivationKind kind) => kind switch
    {
        ActivationKind.LipSwish => new LipSwish(),
        ActivationKind.Elu => new Elu(),
        ActivationKind.CLipSwish => new CLipSwish(),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "Unknown activation."),
    };

    /// <summary>Applies it to (N, C, ...): (N, <see cref="Outputs"/>·C, ...). The caller disposes the result.</summary>
    public override Tensor forward(Tensor input)
    {
        Internal.Check.Tensor(input, nameof(input));
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(At(input, slope: false).Value);
    }

    /// <summary>f(x) and f′(x), both with a graph if gradients are on. Runs in the caller's scope.</summary>
    internal abstract (Tensor Value, Tensor? Slope) At(Tensor input, bool slope);

    /// <summary>What a kernel calls it, c of f(x) = x·σ(βx)·c, and β before softplus.</summary>
    internal abstract (ResidualActivation Kind, double Factor, Tensor? Beta) Kernel { get; }

    (Tensor Value, Tensor? Slope) IActivation.At(Tensor input, bool slope) => At(input, slope);
}
