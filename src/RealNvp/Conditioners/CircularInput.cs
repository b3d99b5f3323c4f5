using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Lets a network see circles as circles: in place of an angle x it
/// gets cos and sin of it, so it has no jump where the circle is cut.</summary>
/// <remarks>
/// <para>In a coupling of vectors: <c>size =&gt; new CircularInput(size, [0, 3], inner =&gt; new Mlp(inner.Inputs, inner.Outputs, 64))</c>.
/// The network gets the features that are no circles as they are, then the cosines, then the sines, of (x − low) 2π/(high − low).</para>
/// <para>State-dict keys: <c>network.*</c>. It owns the network.</para>
/// </remarks>
public sealed partial class CircularInput : Conditioner
{
    private readonly nn.Module network;
    private readonly Constant? plain, angles;
    private readonly Scalar low, frequency;

    /// <summary>Makes the conditioner and its network.</summary>
    /// <param name="size">What a coupling of vectors asks for.</param>
    /// <param name="circular">The features of an example that are circles, by their index
    /// in the example; those that the coupling does not keep do not matter.</param>
    /// <param name="network">Makes the network, of the sizes that it is told.</param>
    /// <param name="low">The lower edge of the circles.</param>
    /// <param name="high">The upper edge, one turn on.</param>
    /// <exception cref="ArgumentException">Sizes of an image, edges that are no finite interval, or a network of another size.</exception>
    public CircularInput(ConditionerSizes size, FeatureSet circular, Func<ConditionerSizes, Conditioner> network, double low = -Math.PI,
        double high = Math.PI)
        : this(size, circular, Made(size, circular, network), low, high) { }

    /// <summary>Makes the conditioner with any network that takes one tensor and gives one; it then takes no context.</summary>
    /// <inheritdoc cref="CircularInput(ConditionerSizes, FeatureSet, Func{ConditionerSizes, Conditioner}, double, double)"/>
    public CircularInput(ConditionerSizes size, FeatureSet circular, Func<ConditionerSizes, nn.Module<Tensor, Tensor>> network,
        double low = -Math.PI, double high = Math.PI)
        : this(size, circular, Made(size, circular, network), low, high) { }

    private CircularInput(ConditionerSizes size, FeatureSet circular, nn.Module network, double low, double high)
        : base(nameof(CircularInput), (network as Conditioner)?.ContextSize ?? 0)
    {
        Circle.CheckEdges(low, high);
        this.network = network;
        (InputShape, OutputShape) = (size.InputShape, size.OutputShape);
        (this.low, frequency) = (Scalars.Of(low), Scalars.Of(2 * Math.PI / (high - low)));
        var seen = Seen(size, circular);
        CircularInputs = [.. seen.Select(i => new Circle(i, low, high))];
        if (seen.Length > 0)
        {
            using var scope = NewDisposeScope();
            angles = new Constant(tensor(seen.Select(i => (long)i).ToArray(), device: CPU));
            plain = new Constant(tensor(Enumerable.Range(0, (int)size.Inputs).Except(seen).Select(i => (long)i).ToArray(), device: CPU));
        }
        RegisterComponents();
    }

    /// <summary>The network that sees cos and sin.</summary>
    public nn.Module Network => network;

    /// <inheritdoc/>
    public override EventShape? InputShape { get; }

    /// <inheritdoc/>
    public override EventShape? OutputShape { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<Circle> CircularInputs { get; }

    /// <inheritdoc/>
    public override Tensor forward(Tensor input, Tensor? context)
    {
        using var scope = NewDisposeScope();
        if (angles is not null)
        {
            var turn = input.index_select(1, angles.Value).sub(low).mul(frequency);
            input = cat([input.index_select(1, plain!.Value), turn.cos(), turn.sin()], 1);
        }
        return scope.MoveToOuter(network is nn.Module<Tensor, Tensor?, Tensor> conditional ? conditional.call(input, context)
            : ((nn.Module<Tensor, Tensor>)network).call(input));
    }

    /// <inheritdoc/>
    protected override void _toEpilog(ScalarType? dtype, Device? device, bool non_blocking)
    {
        base._toEpilog(dtype, device, non_blocking);
        plain?.To(dtype, device);
        angles?.To(dtype, device);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            plain?.Dispose();
            angles?.Dispose();
        }
        base.Dispose(disposing);
    }

    // the inputs that are circles
    private static int[] Seen(ConditionerSizes size, FeatureSet circular) =>
        [.. Enumerable.Range(0, size.KeptFeatures.Count).Where(i => circular.Contains(size.KeptFeatures[i]))];

    private static nn.Module Made(ConditionerSizes size, FeatureSet circular, Func<ConditionerSizes, nn.Module> network)
    {
        ArgumentNullException.ThrowIfNull(size);
        ArgumentNullException.ThrowIfNull(network);
        if (size.InputShape.Count != 1 || !size.InputShape.IsFixed)
            throw new ArgumentException($"{nameof(CircularInput)} is for vectors; got a network that maps {size}.", nameof(size));
        var inputs = size.Inputs + Seen(size, circular).Length;
        var inner = new ConditionerSizes([inputs], size.ChangedShape, size.KeptFeatures, size.ChangedFeatures, size.ParametersPerElement,
            false, size.ContextSize);
        return NetworkCheck.Network(null, network, inner, nameof(CircularInput)).Network;
    }
}
