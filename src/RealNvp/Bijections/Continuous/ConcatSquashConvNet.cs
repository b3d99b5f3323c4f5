using RealNvp.Internal;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The dynamics of FFJORD for images: 3×3 convolutions whose channels time scales and shifts,
/// with a smooth function between them (arXiv 1810.01367, section 4 and appendix B.2).</summary>
/// <remarks>
/// <para>For images (C, H, W) of any size. The last layer starts at zero, so a new flow is the
/// identity. Derivatives go through the same convolutions in forward mode, as a larger batch.</para>
/// <para>State-dict keys: <c>layers.i.{layer, hyper_gate, hyper_bias, context_gate, context_bias}</c>.</para>
/// </remarks>
public sealed class ConcatSquashConvNet : Dynamics
{
    // numbers of a block of tangents: bounds the memory for many directions
    private const long BlockElements = 1L << 22;

    private readonly ModuleList<ConcatSquashConv2d> layers;
    private readonly SmoothActivation activation;

    /// <summary>Makes the network.</summary>
    /// <param name="channels">C, the number of channels of an image.</param>
    /// <param name="hidden">The number of channels of each hidden layer.</param>
    /// <param name="hiddenLayers">The number of hidden layers, at least 1.</param>
    /// <param name="contextSize">The number of context features; 0 for none.</param>
    /// <param name="activation">The function between the layers.</param>
    public ConcatSquashConvNet(long channels, long hidden = 64, int hiddenLayers = 3, long contextSize = 0,
        SmoothActivation activation = SmoothActivation.Softplus)
        : base(nameof(ConcatSquashConvNet), EventShape.Create(Check.Positive(channels, nameof(channels), "The number of channels"), -1, -1),
            contextSize)
    {
        Check.Positive(hidden, nameof(hidden), "The number of hidden channels");
        Check.Depth(hiddenLayers, 1, nameof(hiddenLayers), "The number of hidden layers");
        this.activation = SmoothActivations.Check(activation, nameof(activation));
        layers = [];
        for (var i = 0; i <= hiddenLayers; i++)
        {
            var last = i == hiddenLayers;
            layers.Add(new ConcatSquashConv2d(i == 0 ? channels : hidden, last ? channels : hidden, contextSize, zero: last));
        }
        RegisterComponents();
    }

    /// <summary>The function between the layers.</summary>
    public SmoothActivation Activation => activation;

    /// <inheritdoc/>
    protected internal override bool ProductsAreTransposed => false;

    /// <inheritdoc/>
    public override Tensor Velocity(Tensor t, Tensor x, Tensor? context = null)
    {
        CheckArguments(t, x, context, nameof(Velocity));
        using var scope = NewDisposeScope();
        for (var i = 0; i < layers.Count; i++)
        {
            var (scale, shift) = layers[i].At(t, context);
            x = shift.addcmul(layers[i].forward(x), scale, Scalars.One);
            if (i < layers.Count - 1) x = SmoothActivations.Value(activation, x);
        }
        return scope.MoveToOuter(x);
    }

    /// <inheritdoc/>
    protected internal override (Tensor Velocity, Tensor Divergence) VelocityAndDivergence(Tensor t, Tensor x, Tensor? context = null)
    {
        CheckArguments(t, x, context, nameof(VelocityAndDivergence));
        using var scope = NewDisposeScope();
        var (velocity, factors) = Factors(t, x, context);
        var (count, size) = (x.size(0), Elements(x));
        var block = Math.Clamp(BlockElements / Math.Max(1, count * (layers[0].Weight.size(0) * size / x.size(1))), 1, size);
        Tensor sum = zeros(count, dtype: x.dtype, device: x.device);
        for (long start = 0; start < size; start += block)
        {
            using var inside = NewDisposeScope();
            var some = Math.Min(block, size - start);
            var unit = zeros(some, size, dtype: x.dtype, device: x.device);
            unit.diagonal(start).fill_(Scalars.One);
            var products = Pushed(unit.reshape([some, 1, .. x.shape[1..]]).expand([some, .. x.shape]), factors);
            // (K, N, D): the element of each direction
            var diagonal = products.flatten(2).narrow(2, start, some).diagonal(0, 0, 2);
            sum = inside.MoveToOuter(sum.add(diagonal.sum([1L]), Scalars.One));
        }
        return (scope.MoveToOuter(velocity), scope.MoveToOuter(sum));

        static long Elements(Tensor x) => x.shape[1..].Aggregate(1L, (n, s) => n * s);
    }

    /// <inheritdoc/>
    protected internal override (Tensor Velocity, Tensor Products) VelocityAndProducts(Tensor t, Tensor x, Tensor vectors,
        Tensor? context = null)
    {
        CheckArguments(t, x, context, nameof(VelocityAndProducts));
        using var scope = NewDisposeScope();
        var (velocity, factors) = Factors(t, x, context);
        return (scope.MoveToOuter(velocity), scope.MoveToOuter(Pushed(vectors, factors)));
    }

    // the velocity, and what each layer's linear part is multiplied by in a derivative
    private (Tensor Velocity, List<Tensor> Factors) Factors(Tensor t, Tensor x, Tensor? context)
    {
        var factors = new List<Tensor>(layers.Count);
        for (var i = 0; i < layers.Count; i++)
        {
            var (scale, shift) = layers[i].At(t, context);
            x = shift.addcmul(layers[i].forward(x), scale, Scalars.One);
            if (i == layers.Count - 1) factors.Add(scale);
            else
            {
                (x, var slope) = SmoothActivations.WithSlope(activation, x);
                factors.Add(slope.mul(scale));
            }
        }
        return (x, factors);
    }

    // Jv for vectors (K, N, ...), in the caller's scope
    private Tensor Pushed(Tensor vectors, List<Tensor> factors)
    {
        var (k, n) = (vectors.size(0), vectors.size(1));
        for (var i = 0; i < layers.Count; i++)
        {
            var moved = layers[i].forward(vectors.flatten(0, 1));
            vectors = moved.reshape([k, n, .. moved.shape[1..]]).mul(factors[i].unsqueeze(0));
        }
        return vectors;
    }

    private void CheckArguments(Tensor t, Tensor x, Tensor? context, string method)
    {
        var owner = $"{GetName()}.{method}";
        Check.Network(x, context, Shape!.Value, ContextSize, owner, layers[0].Weight);
        Check.Times(t, x, owner);
    }
}
