using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Fixed order of the channels or features: z[i] = x[order[i]]; log|det| = 0.</summary>
/// <remarks>It has no weights and no state: the order is the constructor's.</remarks>
public sealed class Permutation : Bijection, IJoinsChain
{
    private readonly Constant order, inverseOrder;
    private readonly long[] indices;

    /// <summary>Makes the layer from an order.</summary>
    /// <param name="inputShape">[C, H, W] or [D]; sizes may be -1 except the first.</param>
    /// <param name="order">For each output its input: the numbers 0 to C-1, each once.</param>
    /// <exception cref="ArgumentException">The order is no permutation of the channels.</exception>
    public Permutation(EventShape inputShape, IReadOnlyList<long> order) : base(nameof(Permutation), inputShape)
    {
        ArgumentNullException.ThrowIfNull(order);
        if (inputShape.Count == 0 || inputShape[0] == -1)
            throw new ArgumentException($"A permutation needs the number of channels or features; got {inputShape}.", nameof(inputShape));
        if (order.Count != inputShape[0])
            throw new ArgumentException(
                $"The order must have {inputShape[0]} numbers, one for each channel of {inputShape}; got {order.Count}.", nameof(order));
        indices = [.. order];
        var inverse = new long[indices.Length];
        Array.Fill(inverse, -1);
        for (var i = 0; i < indices.Length; i++)
        {
            if (indices[i] < 0 || indices[i] >= indices.Length || inverse[indices[i]] >= 0)
                throw new ArgumentException(
                    $"The order must hold each of 0 to {indices.Length - 1} once; got {indices[i]} at position {i}.", nameof(order));
            inverse[indices[i]] = i;
        }
        this.order = AddConstant(tensor(indices));
        inverseOrder = AddConstant(tensor(inverse));
        RegisterComponents();
    }

    /// <summary>For each output its input.</summary>
    public IReadOnlyList<long> Order => indices;

    /// <summary>The layer that reverses the channels or features.</summary>
    /// <param name="inputShape">[C, H, W] or [D]; sizes may be -1 except the first.</param>
    public static Permutation Reversal(EventShape inputShape) => new(inputShape, Counting(inputShape, n => n.Reverse()));

    /// <summary>A random order, the same for the same seed.</summary>
    /// <param name="inputShape">[C, H, W] or [D]; sizes may be -1 except the first.</param>
    /// <param name="seed">Chooses the order.</param>
    public static Permutation Random(EventShape inputShape, int seed) => new(inputShape, Counting(inputShape, n =>
    {
        var all = n.ToArray();
        new Random(seed).Shuffle(all);
        return all;
    }));

    /// <summary>Circles move as their elements do.</summary>
    public override IReadOnlyList<Circle> CirclesThrough(IReadOnlyList<Circle> circles, bool inverse = false)
    {
        ArgumentNullException.ThrowIfNull(circles);
        if (circles.Count == 0 || !InputShape!.Value.IsFixed) return [];
        var block = (int)(InputShape.Value.NumElements / indices.Length);
        return [.. circles.Select(c => (Circle: c, Channel: c.Feature / block, Inner: c.Feature % block))
            .Where(c => c.Channel < indices.Length)
            .Select(c => c.Circle.At(((inverse ? (int)indices[c.Channel] : Array.IndexOf(indices, c.Channel)) * block) + c.Inner))];
    }

    /// <inheritdoc/>
    public override bool MovesValues => true;

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => (x.index_select(1, order.Value), null);

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (z.index_select(1, inverseOrder.Value), null);

    ChainStep? IJoinsChain.StepFor(Tensor input, Pass pass, bool inverse) =>
        InputShape is { Count: 1 } && indices.Length == input.shape[1]
            ? new PermutationStep(indices, (inverse ? inverseOrder : order).Value, inverse) : null;

    private static long[] Counting(EventShape shape, Func<IEnumerable<long>, IEnumerable<long>> arrange) =>
        shape.Count == 0 ? []
            : [.. arrange(Enumerable.Range(0, (int)Internal.Check.NotNegative(Math.Max(0, shape[0]), nameof(shape),
            "The number of features or channels")).Select(i => (long)i))];
}
