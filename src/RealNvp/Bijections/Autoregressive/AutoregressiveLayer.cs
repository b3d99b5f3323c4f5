using RealNvp.Internal;
using RealNvp.Operations;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Each feature is mapped by an elementwise map whose parameters depend on the features before it: zᵢ = τ(xᵢ; θ(x before i, context));
/// log|det| = Σ log|τ'| (MAF, arXiv 1705.07057, section 3.1).
/// </summary>
/// <remarks>
/// <para>Forward, and so the density, takes one pass of the network. Inverse, and so sampling, goes from feature to feature, and computes
/// each hidden unit once: about the arithmetic of one pass, in D steps. <c>new InvertedLayer(layer)</c>
/// samples in one pass instead: the inverse autoregressive flow (IAF, arXiv 1606.04934).</para>
/// <para>The network is a <see cref="RealNvp.Made"/>, or any network of yours whose outputs for a feature depend on the features before it
/// in a stated order only: it maps (N, D) to (N, P·D), all first parameters before all second ones, so that output k·D + i is parameter k
/// of feature i. The layer refuses another one when it is built: it changes inputs at random points, in evaluation mode, and what must not
/// depend on them must stay the same to the bit. Where parameters of the network are all zeros, as those of a last layer are at the start,
/// it looks again with random numbers in their place, and puts the zeros back. It sees masks of the forward pass, and zeros among other
/// weights as they are; it cannot see what training makes of masks that are written into the weights alone: <c>FlowCheck</c> looks at the
/// layer as it is then. Inverse takes D passes of such a network, on features that are zero until they are known.</para>
/// <para>State-dict keys: <c>made.*</c>, or <c>conditioner.*</c> for a
/// network of yours, and <c>transformer.*</c>. The layer owns both.</para>
/// </remarks>
public sealed partial class AutoregressiveLayer : Bijection, IJoinsChain
{
    // one of the two, by what its keys are called
    private readonly Made? made;
    private readonly nn.Module? conditioner;
    private readonly long[] positions;
    private readonly ScalarTransformer transformer;
    private readonly FusedCoupling? plan;
    private readonly SequencePlan? sequence;

    /// <summary>Makes the layer, and its network by a function of the sizes.</summary>
    /// <param name="inputShape">[D].</param>
    /// <param name="transformer">The elementwise map, the same for all features but for its
    /// parameters: of an <see cref="AffineTransformer"/> that with one scale in all, [1].</param>
    /// <param name="network">Makes the network, such as <c>size =&gt; new Made(size.Inputs,
    /// size.ParametersPerElement, new() { Hidden = 256 })</c>; called once.</param>
    /// <param name="contextSize">C, which the function finds in the sizes and the network must take; 0 leaves it to the network.</param>
    /// <exception cref="ArgumentException">The shape is no vector, the network has
    /// another size, or the transformer has weights for each feature.</exception>
    public AutoregressiveLayer(EventShape inputShape, ScalarTransformer transformer, Func<ConditionerSizes, Made> network,
        long contextSize = 0)
        : this(transformer, Made(inputShape, transformer, network, contextSize)) { }

    /// <summary>Makes the layer with any masked network, which it makes by a function of the sizes.</summary>
    /// <param name="inputShape">[D].</param>
    /// <param name="transformer">The elementwise map, the same for all features but for its
    /// parameters: of an <see cref="AffineTransformer"/> that with one scale in all, [1].</param>
    /// <param name="network">Makes the network, from (N, D) and a context to (N, P·D), all first parameters before
    /// all second ones; called once. A <see cref="RealNvp.Made"/> is used as by the constructor for it.</param>
    /// <param name="order">For each position in the order its feature: 0 to D − 1, each
    /// once. Null is the natural order, or that of the <see cref="RealNvp.Made"/>.</param>
    /// <param name="contextSize">C, which the function finds in the sizes and the network must take; 0 leaves it to the network.</param>
    /// <exception cref="ArgumentException">The shape is no vector, the network has another size or does not
    /// keep to the order, the order is none, or the transformer has weights for each feature.</exception>
    public AutoregressiveLayer(EventShape inputShape, ScalarTransformer transformer, Func<ConditionerSizes, Conditioner> network,
        IReadOnlyList<long>? order = null, long contextSize = 0)
        : this(inputShape, transformer, Network(inputShape, transformer, network, order, contextSize)) { }

    /// <summary>Makes the layer with any masked network from one tensor to one, which
    /// it makes by a function of the sizes; it then takes no context.</summary>
    /// <inheritdoc cref="AutoregressiveLayer(EventShape, ScalarTransformer, Func{ConditionerSizes, Conditioner},
    /// IReadOnlyList{long}, long)"/>
    public AutoregressiveLayer(EventShape inputShape, ScalarTransformer transformer,
        Func<ConditionerSizes, nn.Module<Tensor, Tensor>> network, IReadOnlyList<long>? order = null)
        : this(inputShape, transformer, Network(inputShape, transformer, network, order, 0)) { }

    /// <summary>Makes the layer.</summary>
    /// <param name="transformer">The elementwise map, the same for all features but for its
    /// parameters: of an <see cref="AffineTransformer"/> that with one scale in all, [1].</param>
    /// <param name="made">Gives the parameters; with as many a feature as the transformer takes. Its context is the layer's.</param>
    /// <exception cref="ArgumentException">The two do not fit, or the transformer has weights for each feature.</exception>
    public AutoregressiveLayer(ScalarTransformer transformer, Made made)
        : this(made is null ? null : [made.Features], transformer, (made ?? throw new ArgumentNullException(nameof(made)),
            [.. made.Positions])) { }

    private AutoregressiveLayer(EventShape? inputShape, ScalarTransformer transformer, (nn.Module Module, long[] Positions) network)
        : base(nameof(AutoregressiveLayer), inputShape)
    {
        ArgumentNullException.ThrowIfNull(transformer);
        ModuleLife.Alive(transformer, nameof(transformer), nameof(AutoregressiveLayer));
        ModuleLife.Alive(network.Module, nameof(network), nameof(AutoregressiveLayer));
        positions = network.Positions;
        made = network.Module as Made;
        conditioner = made is null ? network.Module : null;
        var features = positions.Length;
        if (made is not null && made.ParametersPerFeature != transformer.ParametersPerElement)
            throw new ArgumentException(
                $"{transformer.GetName()} takes {transformer.ParametersPerElement} parameters a feature; the network gives " +
                $"{made.ParametersPerFeature}. Make it with new Made({made.Features}, {transformer.ParametersPerElement}, ...).",
                nameof(network));
        if (features > 1 && transformer.parameters().Any(p => p.numel() > 1))
            throw new ArgumentException(
                $"{transformer.GetName()} has weights of its own for each feature, but this layer applies it to one feature at a time. " +
                $"Use one weight for all, such as new AffineTransformer([1]).", nameof(transformer));
        transformer.CheckShape([features]);
        this.transformer = transformer;
        // to the network, all features but the last one of the order are numbers of the line, unless it says otherwise
        var seen = (network.Module as INetworkShapes)?.CircularInputs ?? [];
        CircularFeatures = [.. Enumerable.Range(0, features).Select(i => transformer.CircleOf(i)?.At(i)).OfType<Circle>()
            .Where(c => positions[c.Feature] == features - 1 || seen.Contains(c))];
        int[] all = [.. Enumerable.Range(0, features)];
        if (made is not null)
        {
            plan = FusedCoupling.Of(all, all, made, transformer, x => x, x => x, (_, value) => value);
            sequence = made.PlanFor(transformer);
        }
        RegisterComponents();
    }

    /// <summary>The elementwise map; the layer owns it.</summary>
    public ScalarTransformer Transformer => transformer;

    /// <summary>The network, a <see cref="RealNvp.Made"/>, another <see cref="RealNvp.Conditioner"/> or
    /// a module from one tensor to one; the layer owns it.</summary>
    public nn.Module Conditioner => made ?? conditioner!;

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
    public override long ContextSize => (Conditioner as Conditioner)?.ContextSize ?? 0;

    private static Made Made(EventShape inputShape, ScalarTransformer transformer, Func<ConditionerSizes, Made> network, long contextSize)
    {
        ArgumentNullException.ThrowIfNull(network);
        return (Made)NetworkCheck.Network(null, network, SizesFor(inputShape, transformer, contextSize),
            nameof(AutoregressiveLayer)).Network;
    }

    private static (nn.Module, long[]) Network(EventShape inputShape, ScalarTransformer transformer,
        Func<ConditionerSizes, nn.Module> network, IReadOnlyList<long>? order, long contextSize)
    {
        ArgumentNullException.ThrowIfNull(network);
        var sizes = SizesFor(inputShape, transformer, contextSize);
        var positions = RealNvp.Made.PositionsOf(order, sizes.Inputs);
        var (own, _) = NetworkCheck.Network(null, network, sizes, nameof(AutoregressiveLayer));
        if (own is Made made && (order is null || made.Positions.SequenceEqual(positions))) return (own, [.. made.Positions]);
        try
        {
            if (own is Made other)
                throw new ArgumentException(
                    $"The Made has an order of its own, [{string.Join(", ", RealNvp.Made.OrderOf([.. other.Positions]))}], but the " +
                    $"layer was asked for [{string.Join(", ", order!)}]. Leave out the order, or give it to the Made: new() {{ Order = " +
                    $"... }}.", nameof(order));
            OrderCheck.Require(own, sizes, positions, nameof(AutoregressiveLayer), nameof(network));
        }
        catch
        {
            own.Dispose();
            throw;
        }
        return (own, positions);
    }

    // a pass of any network for each feature, on zeros in the place of what is not known yet; a Made computes each unit once instead
    private (Tensor Value, Tensor? LogDet) Sequential(Tensor z, Tensor? context)
    {
        var order = RealNvp.Made.OrderOf(positions);
        var known = new Tensor[order.Length];
        Array.Fill(known, zeros(z.shape[0], 1, dtype: z.dtype, device: z.device));
        Tensor? total = null;
        foreach (var feature in order)
        {
            using var inside = NewDisposeScope();
            var one = transformer.ForFeature((int)feature);
            var parameters = Parameters(cat(known, 1), context).reshape(z.shape[0], transformer.ParametersPerElement,
                known.Length).select(2, feature);
            var (value, logDerivative) = one.Inverse(z.narrow(1, feature, 1),
                parameters.narrow(1, 0, one.ParametersPerElement).contiguous());
            known[feature] = inside.MoveToOuter(value);
            if (logDerivative is null) continue;
            var term = logDerivative.squeeze(1);
            total = inside.MoveToOuter(total is null ? term : total.add(term, Scalars.One));
        }
        return (cat(known, 1), total);
    }

    private Tensor Parameters(Tensor x, Tensor? context) => Conditioner is Conditioner conditional ? conditional.call(x, context)
        : ((nn.Module<Tensor, Tensor>)Conditioner).call(x);

    /// <summary>The last feature of the order, if its map is that of a circle; the network sees the others as
    /// numbers of the line, unless it says otherwise (<see cref="INetworkShapes.CircularInputs"/>).</summary>
    public override IReadOnlyList<Circle> CircularFeatures { get; }

    /// <inheritdoc/>
    // the inverse goes from feature to feature
    public override bool HasFastInverse => false;

    /// <inheritdoc/>
    protected internal override bool KeepsInput(bool inverse) => !inverse;

    /// <inheritdoc/>
    ChainStep? IJoinsChain.StepFor(Tensor input, Pass pass, bool inverse) => inverse ? null : plan?.StepFor(input, pass.Context, inverse);

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
    {
        if (plan?.TryRun(x, pass.Context, inverse: false) is { } fused) return fused;
        var (value, logDerivative) = transformer.Forward(x, Parameters(x, pass.Context));
        return (value, logDerivative is null ? null : SumExamples(logDerivative));
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) =>
        made is null ? Sequential(z, pass.Context)
        : (sequence is null ? null : made.TryRun(sequence, z, pass.Context))
        ?? made.Sequential(z, pass.Context, (feature, parameters) =>
        {
            var one = transformer.ForFeature((int)feature);
            return one.Inverse(z.narrow(1, feature, 1), parameters.narrow(1, 0, one.ParametersPerElement));
        });
}
