using System.Runtime.InteropServices;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// The general coupling layer: the variables that the mask keeps pass unchanged and feed a conditioner, whose output is the
/// parameters θ of an elementwise map of the others: y = b ⊙ x + (1 - b) ⊙ τ(x; θ(b ⊙ x, context)); log|det| = Σ log|τ'|.
/// </summary>
/// <remarks>
/// <para>Real NVP, arXiv 1605.08803, equations 4 to 9; NICE, arXiv 1410.8516, section 3.2. Forward and Inverse cost the same.</para>
/// <para>A mask that differs along the first dimension only (channels, features) is applied as a split: the conditioner sees and
/// gives only what is used. Any other mask is dense: the conditioner sees the whole example, with zeros where it is transformed.</para>
/// <para>State-dict keys: <c>conditioner.*</c> and <c>transformer.*</c>. The layer owns both.</para>
/// </remarks>
public partial class CouplingLayer : Bijection, IStepsBack, IJoinsChain
{
    private readonly nn.Module conditioner;
    private readonly ScalarTransformer transformer;
    private readonly Partition partition;
    private readonly bool networkIsChecked;
    private readonly FusedCoupling? plan;
    private readonly FusedImageCoupling? imagePlan;

    /// <summary>Makes a coupling, and its network by a function of the sizes.</summary>
    /// <param name="inputShape">The shape of one example, such as [C, H, W] or [D].</param>
    /// <param name="mask">Which variables are kept; it broadcasts to the shape.</param>
    /// <param name="transformer">The elementwise map.</param>
    /// <param name="network">Makes the network, such as <c>size =&gt; new Mlp(size.Inputs,
    /// size.Outputs, 256)</c>; called once, before the layer is there.</param>
    /// <param name="maskAsInput">Adds the mask to the network's input as one more channel; for dense masks of images.</param>
    /// <param name="contextSize">C, which the function finds in the sizes and the network must take; 0 leaves it to the network.</param>
    /// <exception cref="ArgumentException">The mask does not fit the shape, or
    /// keeps all or nothing, or the network has another size.</exception>
    public CouplingLayer(EventShape inputShape, Mask mask, ScalarTransformer transformer, Func<ConditionerSizes, Conditioner> network,
        bool maskAsInput = false, long contextSize = 0)
        : this(nameof(CouplingLayer), inputShape, mask, transformer, network, maskAsInput, contextSize) { }

    /// <summary>Makes a coupling, and any network that takes one tensor and gives
    /// one by a function of the sizes; it then takes no context.</summary>
    /// <inheritdoc cref="CouplingLayer(EventShape, Mask, ScalarTransformer, Func{ConditionerSizes, Conditioner}, bool, long)"/>
    public CouplingLayer(EventShape inputShape, Mask mask, ScalarTransformer transformer,
        Func<ConditionerSizes, nn.Module<Tensor, Tensor>> network, bool maskAsInput = false)
        : this(nameof(CouplingLayer), inputShape, mask, transformer, network, maskAsInput, 0) { }

    /// <summary>Makes a coupling with a conditional network.</summary>
    /// <param name="inputShape">The shape of one example, such as [C, H, W] or [D].</param>
    /// <param name="mask">Which variables are kept; it broadcasts to the shape.</param>
    /// <param name="transformer">The elementwise map.</param>
    /// <param name="conditioner">Maps the kept part (N, K, ...) to parameters (N, P·C,
    /// ...), see <see cref="SizesFor"/>. It is owned by the layer from now on.</param>
    /// <param name="maskAsInput">Adds the mask to the conditioner's input as one more channel; for dense masks of images.</param>
    /// <exception cref="ArgumentException">The mask does not fit the shape, or
    /// keeps all or nothing, or the network has another size.</exception>
    public CouplingLayer(EventShape inputShape, Mask mask, ScalarTransformer transformer, Conditioner conditioner, bool maskAsInput = false)
        : this(nameof(CouplingLayer), inputShape, mask, transformer, conditioner, maskAsInput) { }

    /// <summary>Makes a coupling with any network that takes one tensor and gives one; it then takes no context.</summary>
    /// <inheritdoc cref="CouplingLayer(EventShape, Mask, ScalarTransformer, Conditioner, bool)"/>
    public CouplingLayer(EventShape inputShape, Mask mask, ScalarTransformer transformer, nn.Module<Tensor, Tensor> conditioner,
        bool maskAsInput = false)
        : this(nameof(CouplingLayer), inputShape, mask, transformer, conditioner, maskAsInput) { }

    private protected CouplingLayer(string name, EventShape inputShape, Mask mask, ScalarTransformer transformer, nn.Module conditioner,
        bool maskAsInput)
        : this(name, inputShape, mask, transformer, conditioner ?? throw new ArgumentNullException(nameof(conditioner)), null, maskAsInput,
            0) { }

    private protected CouplingLayer(string name, EventShape inputShape, Mask mask, ScalarTransformer transformer,
        Func<ConditionerSizes, nn.Module> network, bool maskAsInput, long contextSize)
        : this(name, inputShape, mask, transformer, null, network ?? throw new ArgumentNullException(nameof(network)), maskAsInput,
            contextSize) { }

    private CouplingLayer(string name, EventShape inputShape, Mask mask, ScalarTransformer transformer, nn.Module? given,
        Func<ConditionerSizes, nn.Module>? make, bool maskAsInput, long contextSize)
        : base(name, inputShape)
    {
        Sizes = SizesFor(inputShape, mask, transformer, maskAsInput, contextSize);
        ModuleLife.Alive(transformer, nameof(transformer), name).CheckShape(Sizes.ChangedShape);
        (conditioner, networkIsChecked) = NetworkCheck.Network(given, make, Sizes, name);
        Mask = mask;
        partition = Partition.Of(inputShape, mask, AddConstant);
        ContextSize = (conditioner as Conditioner)?.ContextSize ?? 0;
        this.transformer = transformer;
        CircularFeatures = CouplingCircles.Of(inputShape, mask, Sizes, transformer, conditioner);
        if (partition is SplitPartition split && inputShape.Count == 1)
            plan = FusedCoupling.Of(split.KeptAt, split.ChangedAt, conditioner, transformer, partition.Kept, partition.Changed,
                (x, changed) => partition.Merge(x, changed));
        if (partition is SplitPartition parts && inputShape.Count == 3) imagePlan = FusedImageCoupling.Of(parts, conditioner, transformer);
        RegisterComponents();
    }

    /// <summary>Which variables are kept.</summary>
    public Mask Mask { get; }

    /// <inheritdoc/>
    public override long ContextSize { get; }

    /// <summary>What the map changes on a circle (<see cref="ScalarTransformer.CircleOf"/>), and what
    /// is kept where the network sees circles (<see cref="INetworkShapes.CircularInputs"/>).</summary>
    public override IReadOnlyList<Circle> CircularFeatures { get; }

    /// <summary>The elementwise map; the layer owns it.</summary>
    public ScalarTransformer Transformer => transformer;

    /// <summary>The network, a <see cref="RealNvp.Conditioner"/> or a module from one tensor to one; the layer owns it.</summary>
    public nn.Module Conditioner => conditioner;

    /// <summary>What the network takes and gives.</summary>
    public ConditionerSizes Sizes { get; }

    /// <summary>The shape of the conditioner's input for one example: the kept part, or the whole example for a dense mask.</summary>
    public EventShape ConditionerInputShape => Sizes.InputShape;

    /// <summary>The shape that the conditioner must return for one example:
    /// P times the channels or features of the transformed part.</summary>
    public EventShape ConditionerOutputShape => Sizes.OutputShape;

    /// <summary>What the network of a coupling must take and give.</summary>
    /// <param name="inputShape">The shape of one example, such as [C, H, W] or [D].</param>
    /// <param name="mask">Which variables are kept; it broadcasts to the shape.</param>
    /// <param name="transformer">The elementwise map.</param>
    /// <param name="maskAsInput">Whether the mask is one more input channel; for dense masks of images.</param>
    /// <param name="contextSize">C, the number of context features; 0 for none.</param>
    /// <exception cref="ArgumentException">The mask does not fit the shape, or keeps all or nothing.</exception>
    public static ConditionerSizes SizesFor(EventShape inputShape, Mask mask, ScalarTransformer transformer, bool maskAsInput = false,
        long contextSize = 0)
    {
        ArgumentNullException.ThrowIfNull(mask);
        ArgumentNullException.ThrowIfNull(transformer);
        Internal.Check.NotNegative(contextSize, nameof(contextSize), "The number of context features");
        var (kept, changed, keptAt, changedAt) = Parts(inputShape, mask, out var dense);
        if (maskAsInput) CheckMaskChannel(inputShape, mask, dense);
        return new ConditionerSizes(kept, changed, keptAt, changedAt, transformer.ParametersPerElement, maskAsInput, contextSize);
    }

    /// <inheritdoc/>
    protected sealed override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => Transform(x, pass.Context, inverse: false);

    /// <inheritdoc/>
    protected sealed override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => Transform(z, pass.Context, inverse: true);

    /// <inheritdoc/>
    ChainStep? IJoinsChain.StepFor(Tensor input, Pass pass, bool inverse) =>
        plan?.StepFor(input, pass.Context, inverse) ?? imagePlan?.StepFor(input, inverse);

    /// <inheritdoc/>
    // the network sees the same in both directions, so what it keeps of a batch does no harm; the inverse of a mixture is a search
    protected internal override bool KeepsInput(bool inverse) => !inverse && !transformer.HasExactInverse;

    // the kept part of x is that of z: one pass of the network gives x, and the gradients
    /// <inheritdoc/>
    (Tensor Input, Tensor Gradient) IStepsBack.StepBack(BackwardStep step, Tensor output, Tensor gradient, bool inverse)
    {
        var kept = partition.Kept(output).detach().requires_grad_(true);
        using var state = step.Restore();
        Tensor parameters;
        using (enable_grad())
            parameters = partition.Restrict(Parameters(kept, step.Context));
        var closed = transformer.IsIdentityAtZeroExactly || partition.Changes is null
            ? transformer.StepBack(step, partition.Changed(output), parameters.detach(), partition.Changed(gradient), inverse) : null;
        if (closed is { } known)
        {
            step.Backward(this, parameters, known.Parameters, null, kept);
            return (partition.Merge(output, known.Input), partition.MergeGradients(gradient, kept.grad
                ?? zeros_like(kept, requires_grad: false), known.Gradient));
        }
        var changed = Map(partition.Changed(output), parameters.detach(), !inverse).Value.detach();
        var input = partition.Merge(output, changed);
        changed.requires_grad_(true);
        using (enable_grad())
        {
            var (value, logDet) = Map(changed, parameters, inverse);
            step.Backward(this, value, partition.Changed(gradient), logDet, kept, changed);
        }
        return (input, partition.MergeGradients(gradient, kept.grad ?? zeros_like(kept, requires_grad: false), changed.grad
            ?? zeros_like(changed, requires_grad: false)));
    }

    /// <summary>The shapes of a conditioner's input and of the transformed part, for a mask on examples of a shape.</summary>
    internal static (EventShape Kept, EventShape Changed) PartShapes(EventShape shape, Mask mask)
    {
        var parts = Parts(shape, mask, out _);
        return (parts.Kept, parts.Changed);
    }

    private static (EventShape Kept, EventShape Changed, int[] KeptAt, int[] ChangedAt) Parts(EventShape shape, Mask mask, out bool dense)
    {
        var rows = Partition.KeptRows(shape, mask);
        dense = rows is null;
        if (rows is null)
        {
            int[] all = [.. Enumerable.Range(0, checked((int)Math.Max(shape[0], 0)))];
            return (shape, shape, all, all);
        }
        int[] At(bool kept) => [.. Enumerable.Range(0, rows.Length).Where(i => rows[i] == kept)];
        EventShape With(int[] at) => EventShape.Create([at.Length, .. shape.Skip(1)]);
        var (keptAt, changedAt) = (At(true), At(false));
        return (With(keptAt), With(changedAt), keptAt, changedAt);
    }


    private (Tensor, Tensor?) Transform(Tensor input, Tensor? context, bool inverse)
    {
        if ((plan?.TryRun(input, context, inverse) ?? imagePlan?.TryRun(input, inverse)) is { } fused) return fused;
        var kept = partition.Kept(input);
        var parameters = partition.Restrict(Parameters(kept, context));
        var (output, logDet) = Map(partition.Changed(input), parameters, inverse);
        return (partition.Merge(input, output, kept), logDet);
    }

    private (Tensor Value, Tensor? LogDet) Map(Tensor changed, Tensor parameters, bool inverse)
    {
        if (transformer.IsIdentityAtZeroExactly || partition.Changes is not { } changes)
            return transformer.Transform(changed, parameters, inverse);
        var (output, logDerivative) = inverse ? transformer.Inverse(changed, parameters) : transformer.Forward(changed, parameters);
        var moves = changes.to(ScalarType.Bool);
        output = output.where(moves, changed);
        logDerivative = logDerivative?.where(moves, zeros_like(logDerivative));
        return (output, logDerivative is null ? null : SumExamples(logDerivative));
    }

    private Tensor Parameters(Tensor kept, Tensor? context)
    {
        if (Sizes.MaskIsInput)
        {
            var mask = ((DensePartition)partition).Keeps;
            kept = cat([kept, mask.reshape([1, 1, .. mask.shape[^2..]]).expand([kept.shape[0], 1, .. mask.shape[^2..]])], 1);
        }
        Tensor parameters;
        try { parameters = conditioner is nn.Module<Tensor, Tensor?, Tensor> conditional ? conditional.call(kept, context)
            : ((nn.Module<Tensor, Tensor>)conditioner).call(kept); }
        catch (Exception e) when (!networkIsChecked && e is (ExternalException or ArgumentException)) {
            throw new InvalidOperationException(NetworkCheck.Failure(conditioner, Sizes, GetName(), kept.shape, e), e); }
        var expected = Sizes.OutputShape;
        if (parameters.dim() < 1 || parameters.shape[0] != kept.shape[0] || !expected.Matches(parameters.shape.AsSpan(1)))
            throw new InvalidOperationException(
                $"The conditioner of {GetName()} returned {EventShape.Format(parameters.shape)}; it must return (N, ...) with N = " +
                $"{kept.shape[0]} and ... = {expected}: {transformer.ParametersPerElement} parameter(s) for each transformed channel or " +
                $"feature.");
        return parameters;
    }

    private static void CheckMaskChannel(EventShape shape, Mask mask, bool dense)
    {
        if (!dense || shape.Count != 3 || (mask.Shape.Count == 3 && mask.Shape[0] != 1))
            throw new ArgumentException(
                $"The mask can be an input channel only for a mask (H, W) of an image (C, H, W); got a mask of shape {mask.Shape} for " +
                $"{shape}.", nameof(mask));
    }
}
