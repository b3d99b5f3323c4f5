using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Refuses a network of an autoregressive layer whose outputs for a feature
/// depend on that feature, or on one that comes after it in the order.</summary>
/// <remarks>
/// <para>Each batch is evaluated twice. The second time, example r has other numbers at the positions
/// from r on of the order; what the network gives for the positions up to r must be the same to the
/// bit. D examples see every pair of features so, and two calls of one shape round alike.</para>
/// <para>A parameter that is all zeros, as a last layer's at the start, hides what is before it. So the check runs again with random
/// numbers in the place of such parameters, which are then put back. Zeros among other numbers stay: they may be a mask.</para>
/// </remarks>
internal sealed class OrderCheck
{
    private const int Points = 4;
    private const long ElementsOfACall = 1 << 22;
    private const double Spread = 2;
    private const string Hidden =
        " Found with random numbers in the place of parameters that are all zeros, which hide it until they are trained.";

    private readonly nn.Module network;
    private readonly ConditionerSizes sizes;
    private readonly long[] order, positions;
    private readonly string owner, parameter;
    private readonly int features, rows;
    private readonly ScalarType dtype;
    private readonly Device device;

    private OrderCheck(nn.Module network, ConditionerSizes sizes, long[] positions, string owner, string parameter, long elementsOfACall)
    {
        (this.network, this.sizes, this.positions, this.owner, this.parameter) = (network, sizes, positions, owner, parameter);
        (order, features) = (Made.OrderOf(positions), positions.Length);
        rows = (int)Math.Clamp(elementsOfACall / sizes.Outputs, 1, features);
        (dtype, device) = NetworkCheck.Home(network);
    }

    /// <summary>Throws if the network does not keep to the order. It and torch's random state are as they were afterwards.</summary>
    /// <exception cref="ArgumentException">The first output and input at fault, and what to do.</exception>
    public static void Require(nn.Module network, ConditionerSizes sizes, long[] positions, string owner, string parameter,
        long elementsOfACall = ElementsOfACall)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var mode = EvaluationMode.Enter(network);
        using var generator = RandomSource.New(1);
        var check = new OrderCheck(network, sizes, positions, owner, parameter, elementsOfACall);
        check.Look(generator, "");
        (Tensor Parameter, Tensor Before)[] zeros = [.. network.parameters().Where(p => p.is_floating_point() && p.numel() > 0
            && !p.ne(Scalars.Zero).any().item<bool>()).Select(p => ((Tensor)p, p.detach().clone()))];
        if (zeros.Length == 0) return;
        try
        {
            foreach (var (zero, _) in zeros)
                zero.copy_(Noise.Normal(zero.shape, zero.dtype, zero.device, generator, 1 / Math.Sqrt(zero.dim() < 2 ? 1
                    : (double)zero.numel() / zero.shape[0])));
            check.Look(generator, Hidden);
        }
        finally
        {
            foreach (var (zero, before) in zeros) zero.copy_(before);
        }
    }

    private void Look(Generator generator, string how)
    {
        for (var point = 0; point < Points; point++)
            for (var start = 0; start < features; start += rows)
            {
                using var scope = NewDisposeScope();
                var many = Math.Min(rows, features - start);
                var (x, other) = (Draw(generator, many, features), Draw(generator, many, features));
                var context = network is Conditioner { ContextSize: > 0 and var size } ? Draw(generator, many, size) : null;
                // columns are positions of the order
                var changed = Changed(x, other,
                    Scalars.Range(many, device, start).unsqueeze(1).le(Scalars.Range(features, device).unsqueeze(0)), context);
                for (var output = 0; output < start + many; output++)
                    for (var row = Math.Max(0, output - start); row < many; row++)
                        if (changed[row, output])
                            throw new ArgumentException(Message(output, InputOf(x.narrow(0, row, 1), other.narrow(0, row, 1),
                                context?.narrow(0, row, 1), start + row, output)) + how, parameter);
            }
    }

    // the first position from `from` on that alone changes the output; null if only several together do
    private int? InputOf(Tensor x, Tensor other, Tensor? context, int from, int output)
    {
        for (var start = from; start < features; start += rows)
        {
            using var scope = NewDisposeScope();
            var many = Math.Min(rows, features - start);
            var changed = Changed(x.repeat(many, 1), other.repeat(many, 1),
                Scalars.Range(many, device, start).unsqueeze(1).eq(Scalars.Range(features, device).unsqueeze(0)), context?.repeat(many, 1));
            for (var row = 0; row < many; row++)
                if (changed[row, output]) return start + row;
        }
        return null;
    }

    // by example and position: whether a parameter is another one
    private bool[,] Changed(Tensor x, Tensor other, Tensor moved, Tensor? context)
    {
        var at = Scalars.Range(features, device).index_select(0, tensor(positions, device: device));
        var (before, after) = (Call(x.index_select(1, at), context), Call(where(moved, other, x).index_select(1, at), context));
        var same = before.eq(after).logical_or(before.isnan().logical_and(after.isnan()));
        var bits = same.reshape(-1, sizes.ParametersPerElement, features).all(1).cpu().contiguous().data<bool>().ToArray();
        var changed = new bool[bits.Length / features, features];
        for (var i = 0; i < bits.Length; i++) changed[i / features, (int)positions[i % features]] = !bits[i];
        return changed;
    }

    private Tensor Call(Tensor x, Tensor? context) => NetworkCheck.Call(network, sizes, x, context, owner, parameter);

    private Tensor Draw(Generator generator, long many, long columns) => Noise.Normal([many, columns], dtype, device, generator, Spread);

    private string Message(int output, int? input)
    {
        var seen = input is { } i ? $"feature {order[i]} (position {i} of the order)" : "several features that do not come before it";
        var at = sizes.ParametersPerElement == 1 ? $"{order[output]}"
            : $"{order[output]} + {features}·k for k = 0 to {sizes.ParametersPerElement - 1}";
        return $"{NetworkCheck.Of(network, owner)} is not autoregressive: the parameters of feature {order[output]} (position {output} " +
            $"of the order; outputs {at}) depend on {seen}. " +
            "They may depend on the features at earlier positions only. Multiply the weights by their masks in the forward pass, as " +
                "Made does, with all first parameters before all second ones; " +
            "or say the order that the masks have: order: [...], for each position its feature.";
    }
}
