using RealNvp.Internal;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The gradients of a step, with its loss, added up over all processes: one tensor for each dtype and device.</summary>
/// <param name="ranks">The processes.</param>
/// <param name="parameters">What is trained.</param>
internal sealed class GradientBuckets(Ranks ranks, IReadOnlyList<(string Name, Parameter Parameter)> parameters)
{
    private readonly Tensor[][] groups = [.. parameters.Select(p => (Tensor)p.Parameter)
        .GroupBy(p => (p.dtype, p.device_type, p.device_index)).Select(g => g.ToArray())];

    /// <summary>Puts the sums in the place of the gradients.</summary>
    /// <param name="loss">The part of this process in the loss, without dimensions.</param>
    /// <returns>The loss. In the caller's scope.</returns>
    public Tensor Sum(Tensor loss)
    {
        using var _ = no_grad();
        var total = loss;
        for (var g = 0; g < groups.Length; g++)
        {
            var sum = Sum(groups[g], loss);
            if (g == 0) total = sum;
        }
        return total;
    }

    private Tensor Sum(Tensor[] group, Tensor loss)
    {
        using var scope = NewDisposeScope();
        var (dtype, device) = (group[0].dtype, group[0].device);
        var gradients = Array.ConvertAll(group, p => p.grad);
        // a weight that no process has a gradient of stays without one: an optimizer leaves it alone
        var there = tensor(Array.ConvertAll(gradients, g => g is null ? 0f : 1f), device: CPU).to(dtype, device);
        var bucket = cat([loss.detach().to(dtype, device).reshape(1), there,
            .. group.Select((p, i) => (gradients[i] ?? zeros_like(p)).reshape(-1))]);
        ranks.SumInPlace(bucket);
        var anywhere = bucket.narrow(0, 1, group.Length).FetchDoubles();
        var start = 1L + group.Length;
        for (var i = 0; i < group.Length; i++)
        {
            var (count, own) = (group[i].numel(), gradients[i]);
            var sum = bucket.narrow(0, start, count).view_as(group[i]);
            if (own is not null) own.copy_(sum);
            else if (anywhere[i] > 0) group[i].grad = scope.Detach(sum.clone());
            start += count;
        }
        return scope.MoveToOuter(bucket[0].to(loss.dtype, loss.device));
    }
}
