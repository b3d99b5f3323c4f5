using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Dynamics by a plain network: linear layers with a smooth function between them, which
/// see x, the time and the context together, as flow matching uses it (arXiv 2302.00482).</summary>
/// <remarks>
/// <para>Examples of any shape are flattened. Time is seen as t, and as cos(πkt) and sin(πkt) for k = 1 ... K.
/// Elements on circles are seen by cosine and sine, so the velocity has no jump where a circle is cut.</para>
/// <para>The last layer starts at zero, so a new flow is the identity. With one or two hidden layers and no circles the
/// exact divergence takes about one more product of the size of a layer, however many elements an example has: tr(W₃
/// diag(s₂) W₂ diag(s₁) W₁) = s₂ᵀ(W₂ ∘ (W₁W₃)ᵀ)s₁; otherwise D directions go through the same products.</para>
/// <para>State-dict keys: <c>layers.i</c>, <c>time</c> (H, 1 + 2K), <c>context</c> (H, C).</para>
/// </remarks>
public sealed class TimeMlp : Dynamics
{
    private readonly ModuleList<Linear> layers;
    private readonly Linear time;
    private readonly Linear? context;
    private readonly SmoothActivation activation;
    private readonly Circle[] circles;
    private readonly Constants constants = new();
    private readonly Constant? plain, circular, low, frequency;
    private readonly long features;

    /// <summary>Makes the network.</summary>
    /// <param name="shape">The shape of one example, all sizes known.</param>
    /// <param name="hidden">The number of features of each hidden layer.</param>
    /// <param name="hiddenLayers">The number of hidden layers, at least 1; with 2 exact divergences are cheap.</param>
    /// <param name="contextSize">C, the number of context features; 0 for none.</param>
    /// <param name="activation">The function between the layers.</param>
    /// <param name="timeFrequencies">K, the number of frequencies of time beside time itself; 0 or more.</param>
    /// <param name="circles">The elements that are on circles, by their index in the flattened example; null for none.</param>
    public TimeMlp(EventShape shape, long hidden = 128, int hiddenLayers = 2, long contextSize = 0,
        SmoothActivation activation = SmoothActivation.Silu, int timeFrequencies = 0,
        IReadOnlyList<Circle>? circles = null) : base(nameof(TimeMlp), shape, contextSize)
    {
        if (!shape.IsFixed || shape.NumElements < 1)
            throw new ArgumentException($"{nameof(TimeMlp)} needs a shape with all sizes known; got {shape}.", nameof(shape));
        Check.Positive(hidden, nameof(hidden), "The number of hidden features");
        Check.Depth(hiddenLayers, 1, nameof(hiddenLayers), "The number of hidden layers");
        ArgumentOutOfRangeException.ThrowIfNegative(timeFrequencies);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(timeFrequencies, 1000);
        this.activation = SmoothActivations.Check(activation, nameof(activation));
        (TimeFrequencies, features) = (timeFrequencies, shape.NumElements);
        this.circles = [.. circles ?? []];
        if (this.circles.Length > 0)
        {
            if (Array.Exists(this.circles, c => c.Feature >= features)
                || this.circles.Select(c => c.Feature).Distinct().Count() < this.circles.Length)
                throw new ArgumentException(
                    $"Circles are different elements of the {features} of an example; got {string.Join(", ", this.circles)}.",
                    nameof(circles));
            using var scope = NewDisposeScope();
            var on = this.circles.Select(c => (long)c.Feature).ToArray();
            circular = constants.Add(tensor(on, device: CPU));
            plain = constants.Add(tensor(Enumerable.Range(0, checked((int)features)).Select(i => (long)i).Except(on).ToArray(),
                device: CPU));
            low = constants.Add(tensor(this.circles.Select(c => c.Low).ToArray(), dtype: get_default_dtype(), device: CPU));
            frequency = constants.Add(tensor(this.circles.Select(c => 2 * Math.PI / c.Period).ToArray(), dtype: get_default_dtype(),
                device: CPU));
        }
        layers = [];
        for (var i = 0; i < hiddenLayers; i++) layers.Add(Weights.Linear(i == 0 ? features + this.circles.Length : hidden, hidden));
        layers.Add(Weights.ZeroLinear(hidden, features));
        time = Weights.Linear(1 + (2 * timeFrequencies), hidden, bias: false);
        if (contextSize > 0) context = Weights.Linear(contextSize, hidden, bias: false);
        RegisterComponents();
    }

    /// <summary>The function between the layers.</summary>
    public SmoothActivation Activation => activation;

    /// <summary>K, the number of frequencies of time beside time itself.</summary>
    public int TimeFrequencies { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<Circle> CircularFeatures => circles;

    /// <inheritdoc/>
    protected internal override bool ProductsAreTransposed => false;

    /// <inheritdoc/>
    protected internal override bool HasCheapDivergence =>
        circles.Length == 0 && DenseTangents.HasShortcut(layers.Count, lastIsUniform: true);

    /// <inheritdoc/>
    public override Tensor Velocity(Tensor t, Tensor x, Tensor? context = null)
    {
        CheckArguments(t, x, context, nameof(Velocity));
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(At(t, context).Velocity(x.flatten(1)).reshape(x.shape));
    }

    /// <inheritdoc/>
    protected internal override (Tensor Velocity, Tensor Divergence) VelocityAndDivergence(Tensor t, Tensor x, Tensor? context = null)
    {
        CheckArguments(t, x, context, nameof(VelocityAndDivergence));
        using var scope = NewDisposeScope();
        var (velocity, divergence) = At(t, context).Divergence(x.flatten(1));
        return (scope.MoveToOuter(velocity.reshape(x.shape)), scope.MoveToOuter(divergence));
    }

    /// <inheritdoc/>
    protected internal override (Tensor Velocity, Tensor Products) VelocityAndProducts(Tensor t, Tensor x, Tensor vectors,
        Tensor? context = null)
    {
        CheckArguments(t, x, context, nameof(VelocityAndProducts));
        using var scope = NewDisposeScope();
        var (velocity, products) = At(t, context).Products(x.flatten(1), vectors.flatten(2));
        return (scope.MoveToOuter(velocity.reshape(x.shape)), scope.MoveToOuter(products.reshape(vectors.shape)));
    }

    // circles are seen by plain operations alone
    internal override DynamicsNetwork? Network => circles.Length > 0 ? null : new([.. layers.Select((l, i) => i == 0
        ? new DynamicsWeights(l.weight!, l.bias, Shift: time.weight, ShiftContext: context?.weight)
            : new DynamicsWeights(l.weight!, l.bias))],
        SmoothActivations.Kernel(activation), SmoothActivations.WithSlope(activation));

    /// <inheritdoc/>
    protected override void _toEpilog(ScalarType? dtype, Device? device, bool non_blocking)
    {
        base._toEpilog(dtype, device, non_blocking);
        constants.To(dtype, device);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) constants.Dispose();
        base.Dispose(disposing);
    }

    // the layers at the times, in the caller's scope
    private DenseTangents At(Tensor t, Tensor? given)
    {
        var shift = nn.functional.linear(Seen(t), time.weight!);
        if (context is not null) shift = shift.add(nn.functional.linear(given!, context.weight!), Scalars.One);
        return new(
            [.. layers.Select((l, i) => new TangentLayer(l.weight!, l.bias, null, i == 0 ? shift : null))],
            h => SmoothActivations.Value(activation, h), h => SmoothActivations.WithSlope(activation, h),
            circles.Length == 0 ? null : new CircleEmbedding(plain!.Value, circular!.Value, low!.Value, frequency!.Value));
    }

    // (N, 1 + 2K)
    private Tensor Seen(Tensor t)
    {
        var column = TimeColumn.Of(t);
        if (TimeFrequencies == 0) return column;
        var angles = column.mul(Scalars.Range(TimeFrequencies, column.device, 1, column.dtype).mul(Scalars.Of(Math.PI)));
        return cat([column, angles.cos(), angles.sin()], 1);
    }

    private void CheckArguments(Tensor t, Tensor x, Tensor? context, string method)
    {
        var owner = $"{GetName()}.{method}";
        Check.Network(x, context, Shape!.Value, ContextSize, owner, time.weight!);
        Check.Times(t, x, owner);
    }
}
