using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>Whether all processes have the same weights.</content>
public sealed partial class Trainer
{
    // Weights that differ are a fault of a layer or an exchange, and would go apart further in each step; but for the last digits, which
    // processors of several kinds round in their own ways. Gradients are sums that all have, so those do not grow, and all take those of
    // process 0.
    private void CheckSameWeights()
    {
        if (ranks is not { Size: > 1 } group) return;
        using var all = NewDisposeScope();
        var named = modules.State().Concat(average?.LiveState().Select(t => KeyValuePair.Create($"the average of {t.Key}", t.Value)) ?? [])
            .ToArray();
        double[] own = [.. named.Select(t => (double)long.Parse(Hash([t.Value]), System.Globalization.NumberStyles.HexNumber,
            System.Globalization.CultureInfo.InvariantCulture))], first = group.OfFirst(own);
        var differ = group.Sum([.. own.Zip(first, (a, b) => a == b ? 0.0 : 1)]);
        string? fault = null;
        foreach (var (name, live) in named.Where((_, i) => differ[i] > 0))
        {
            using var scope = NewDisposeScope();
            using var _ = no_grad();
            var before = live.detach().clone();
            group.Broadcast([live]);
            if (!IsRounding(before, live)) fault ??= name;
        }
        var (rank, which) = group.First(fault);
        if (rank >= 0)
            throw group.Agreed(new InvalidOperationException(
                $"After epoch {state.Epoch + 1}, {which} of process {rank} is not that of process 0. A layer of yours " +
                $"changes it by the rows of its own process or by random numbers of its own, or the exchange gives processes different " +
                $"sums."));
        if (differ.Sum() > 0)
            Warn("The processes round in different ways, as processors of several kinds do. After each epoch all take the weights of " +
                "process 0.");
    }

    // whether two are one but for what the steps of an epoch have rounded
    private bool IsRounding(Tensor some, Tensor other)
    {
        if (!some.is_floating_point()) return false;
        var (a, b) = (some.to(ScalarType.Float64, CPU), other.to(ScalarType.Float64, CPU));
        var digit = some.dtype switch
        {
            ScalarType.Float64 => Math.ScaleB(1, -52),
            ScalarType.Float32 => Math.ScaleB(1, -23),
            ScalarType.Float16 => Math.ScaleB(1, -10),
            _ => Math.ScaleB(1, -7),
        };
        const double Few = 32;
        var allowed = Few * Math.Sqrt(state.Batch + 1) * digit;
        return a.sub(b).abs().max().FetchDouble() <= allowed * Math.Max(1, b.abs().max().FetchDouble());
    }
}
