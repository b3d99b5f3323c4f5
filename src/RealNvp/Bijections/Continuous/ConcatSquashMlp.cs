using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The dynamics of FFJORD for vectors: <see cref="ConcatSquashLinear"/> layers with a
/// smooth function between them (arXiv 1810.01367, section 4 and appendix B).</summary>
/// <remarks>
/// <para>The last layer starts at zero, so a new flow is the identity. Its exact divergence is computed in
/// forward mode, with D directions through the same products, and has no graph if gradients are off.</para>
/// <para>State-dict keys: <c>layers.i.{layer, hyper_gate, hyper_bias, context_gate, context_bias}</c>.</para>
/// </remarks>
public sealed class ConcatSquashMlp : Dynamics
{
    private readonly ModuleList<ConcatSquashLinear> layers;
    private readonly SmoothActivation activation;

    /// <summary>Makes the network.</summary>
    /// <param name="features">D, the number of features of an example.</param>
    /// <param name="hidden">The number of features of each hidden layer.</param>
    /// <param name="hiddenLayers">The number of hidden layers, at least 1.</param>
    /// <param name="contextSize">C, the number of context features; 0 for none.</param>
    /// <param name="activation">The function between the layers.</param>
    public ConcatSquashMlp(long features, long hidden = 64, int hiddenLayers = 3, long contextSize = 0,
        SmoothActivation activation = SmoothActivation.Tanh)
        : base(nameof(ConcatSquashMlp), EventShape.Create(Check.Positive(features, nameof(features), "The number of features")),
            contextSize)
    {
        Check.Positive(hidden, nameof(hidden), "The number of hidden features");
        Check.Depth(hiddenLayers, 1, nameof(hiddenLayers), "The number of hidden layers");
        this.activation = SmoothActivations.Check(activation, nameof(activation));
        layers = [];
        for (var i = 0; i <= hiddenLayers; i++)
        {
            var last = i == hiddenLayers;
            layers.Add(new ConcatSquashLinear(i == 0 ? features : hidden, last ? features : hidden, contextSize, zero: last));
        }
        RegisterComponents();
    }

    /// <summary>The function between the layers.</summary>
    public SmoothActivation Activation => activation;

    /// <inheritdoc/>
    protected internal override bool ProductsAreTransposed => false;

    /// <inheritdoc/>
    protected internal override bool HasCheapDivergence => layers.Count == 2;

    /// <inheritdoc/>
    public override Tensor Velocity(Tensor t, Tensor x, Tensor? context = null)
    {
        CheckArguments(t, x, context, nameof(Velocity));
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(At(t, context).Velocity(x));
    }

    /// <inheritdoc/>
    protected internal override (Tensor Velocity, Tensor Divergence) VelocityAndDivergence(Tensor t, Tensor x, Tensor? context = null)
    {
        CheckArguments(t, x, context, nameof(VelocityAndDivergence));
        using var scope = NewDisposeScope();
        var (velocity, divergence) = At(t, context).Divergence(x);
        return (scope.MoveToOuter(velocity), scope.MoveToOuter(divergence));
    }

    /// <inheritdoc/>
    protected internal override (Tensor Velocity, Tensor Products) VelocityAndProducts(Tensor t, Tensor x, Tensor vectors,
        Tensor? context = null)
    {
        CheckArguments(t, x, context, nameof(VelocityAndProducts));
        using var scope = NewDisposeScope();
        var (velocity, products) = At(t, context).Products(x, vectors);
        return (scope.MoveToOuter(velocity), scope.MoveToOuter(products));
    }

    internal override DynamicsNetwork Network => new([.. layers.Select(l => l.Kernel)], SmoothActivations.Kernel(activation),
        SmoothActivations.WithSlope(activation));

    // the layers at the times, in the caller's scope
    private DenseTangents At(Tensor t, Tensor? context) =>
        new([.. layers.Select(l => l.At(t, context))], h => SmoothActivations.Value(activation, h),
            h => SmoothActivations.WithSlope(activation, h));

    private void CheckArguments(Tensor t, Tensor x, Tensor? context, string method)
    {
        var owner = $"{GetName()}.{method}";
        Check.Network(x, context, Shape!.Value, ContextSize, owner, layers[0].Weight);
        Check.Times(t, x, owner);
    }
}
