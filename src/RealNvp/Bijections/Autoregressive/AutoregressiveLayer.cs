using RealNvp.Internal;
using RealNvp.Kernels;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Each feature is mapped by an elementwise map whose parameters depend on the features before it: zᵢ = τ(xᵢ; θ(x before i, context));
/// log|det| = Σ log|τ'| (MAF, arXiv 1705.07057, section 3.1).
/// </summary>
/// <remarks>
/// <para>Forward, and so the density, takes one pass of the network. Inverse, and so sampling, goes from feature to feature, and computes
/// each hidden unit once: about the arithmetic of one pass, in D steps. <c>new Inverted(layer)</c> samples in one pass instead: the inverse
/// autoregressive flow (IAF, arXiv 1606.04934).</para>
/// <para>State-dict keys: <c>made.*</c> and <c>transformer.*</c>. The layer owns both.</para>
/// </remarks>
public sealed class AutoregressiveLayer : Bijection
{
    private readonly Made made;
    private readonly ScalarTransformer transformer;
    private readonly CouplingPlan? plan;

    /// <summary>Makes the layer, and its network by a function of the sizes.</summary>
    /// <param name="inputShape">[D].</param>
    /// <param name="transformer">The elementwise map, the same for all features but for its parameters: of an <see cref="AffineTransformer"/> that with one scale in all, [1].</param>
    /// <param name="network">Makes the network, such as <c>size =&gt; new Made(size.Inputs, size.ParametersPerElement, new() { Hidden = 256 })</c>; called once.</param>
    /// <param name="contextSize">C, which the function finds in the sizes and the network must take; 0 leaves it to the network.</param>
    /// <exception cref="ArgumentException">The shape is no vector, the network has another size, or the transformer has weights for each feature.</exception>
    public AutoregressiveLayer(EventShape inputShape, ScalarTransformer transformer, Func<ConditionerSizes, Made> network, long contextSize = 0)
        : this(transformer, Made(inputShape, transformer, network, contextSize)) { }

    /// <summary>Makes the layer.</summary>
    /// <param name="transformer">The elementwise map, the same for all features but for its parameters: of an <see cref="AffineTransformer"/> that with one scale in all, [1].</param>
    /// <param name="made">Gives the parameters; with as many a feature as the transformer takes. Its context is the layer's.</param>
    /// <exception cref="ArgumentException">The two do not fit, or the transformer has weights for each feature.</exception>
    public AutoregressiveLayer(ScalarTransformer transformer, Made made) : base(nameof(AutoregressiveLayer), made is null ? null : [made.Features])
    {
        ArgumentNullException.ThrowIfNull(transformer);
        ArgumentNullException.ThrowIfNull(made);
        if (made.ParametersPerFeature != transformer.ParametersPerElement)
            throw new ArgumentException($"{transformer.GetName()} takes {transformer.ParametersPerElement} parameters a feature; the network gives {made.ParametersPerFeature}. Make it with new Made({made.Features}, {transformer.ParametersPerElement}, ...).", nameof(made));
        if (made.Features > 1 && transformer.parameters().Any(p => p.numel() > 1))
            throw new ArgumentException($"{transformer.GetName()} has weights of its own for each feature, but this layer applies it to one feature at a time. Use one weight for all, such as new AffineTransformer([1]).", nameof(transformer));
        transformer.CheckShape([made.Features]);
        this.transformer = transformer;
        // all features but the last one of the order are numbers of the line to the network
        var last = Enumerable.Range(0, checked((int)made.Features)).First(i => made.Positions[i] == made.Features - 1);
        CircularFeatures = transformer.CircleOf(last) is { } circle ? [circle.At(last)] : [];
        this.made = made;
        int[] all = [.. Enumerable.Range(0, checked((int)made.Features))];
        plan = CouplingPlan.Of(all, all, made, transformer, x => x, x => x, (_, value) => value);
        RegisterComponents();
    }

    /// <summary>The elementwise map; the layer owns it.</summary>
    public ScalarTransformer Transformer => transformer;

    /// <summary>The network; the layer owns it.</summary>
    public Made Conditioner => made;

    /// <summary>What the network of an autoregressive layer must take and give.</summary>
    /// <param name="inputShape">[D].</param>
    /// <param name="transformer">The elementwise map.</param>
    /// <param name="contextSize">C, the number of context features; 0 for none.</param>
    /// <exception cref="ArgumentException">The shape is no vector.</exception>
    public static ConditionerSizes SizesFor(EventShape inputShape, ScalarTransformer transformer, long contextSize = 0)
    {
        ArgumentNullException.ThrowIfNull(transformer);
        Internal.Check.NotNegative(contextSize, nameof(contextSize), "The number of context features");
        int[] all = [.. Enumerable.Range(0, checked((int)Check.Vector(inputShape, nameof(inputShape), "An autoregressive layer")))];
        return new ConditionerSizes(inputShape, inputShape, all, all, transformer.ParametersPerElement, false, contextSize);
    }

    /// <inheritdoc/>
    public override long ContextSize => made.ContextSize;

    private static Made Made(EventShape inputShape, ScalarTransformer transformer, Func<ConditionerSizes, Made> network, long contextSize)
    {
        ArgumentNullException.ThrowIfNull(network);
        return (Made)NetworkCheck.Network(null, network, SizesFor(inputShape, transformer, contextSize), nameof(AutoregressiveLayer)).Network;
    }

    /// <summary>The last feature of the order, if its map is that of a circle; the network sees the others as numbers of the line.</summary>
    public override IReadOnlyList<Circle> CircularFeatures { get; }

    /// <inheritdoc/>
    // the inverse goes from feature to feature
    public override bool HasFastInverse => false;

    /// <inheritdoc/>
    protected internal override bool KeepsInput(bool inverse) => !inverse;

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Tensor? context)
    {
        if (plan?.TryRun(x, context, inverse: false) is { } fused) return fused;
        var (value, logDerivative) = transformer.Forward(x, made.call(x, context));
        return (value, logDerivative is null ? null : SumExamples(logDerivative));
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Tensor? context) =>
        (transformer is AffineTransformer affine ? made.InverseAffine(z, context, affine) : null)
        ?? made.Sequential(z, context, (feature, parameters) =>
        {
            var one = transformer.ForFeature((int)feature);
            return one.Inverse(z.narrow(1, feature, 1), parameters.narrow(1, 0, one.ParametersPerElement));
        });
}
