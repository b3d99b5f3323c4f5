using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The gradients of a step, with its loss, added up over all processes: one tensor for each dtype and device, or several parts,
/// those of the last layers first, while the backward pass goes on.</summary>
/// <remarks>
/// A gradient that is sent leaves its weight without one. So what autograd adds later, because the weight is used before the layer that it
/// belongs to, is seen at the end, and summed then: a sum of sums is the sum.
/// </remarks>
internal sealed class GradientBuckets : BackwardWatch
{
    /// <summary>Parts of 1 MB cost a step of two processes on one machine more than they hid: see docs/decisions/0063.</summary>
    public const long DefaultBytes = 4 << 20;

    // a weight that no layer was seen to have, and those before the first mark: they are summed after the backward pass
    private const int Rest = 0;

    private readonly Ranks ranks;
    private readonly Tensor[] parameters;
    private readonly int[][] groups;
    private readonly bool canOverlap;
    private readonly long total;
    private readonly Dictionary<Tensor, int> places = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<nn.Module, int[]> owned = new(ReferenceEqualityComparer.Instance);

    // of this step: the stretch of each weight, null if no layer has had it yet; by stretch what was sent, null if it was not yet
    private readonly int?[] stretches;
    private readonly List<Sent?> sent = [];
    private long bytes;

    /// <param name="ranks">The processes.</param>
    /// <param name="parameters">What is trained.</param>
    public GradientBuckets(Ranks ranks, IReadOnlyList<(string Name, Parameter Parameter)> parameters)
    {
        (this.ranks, this.parameters) = (ranks, [.. parameters.Select(p => (Tensor)p.Parameter)]);
        groups = [.. this.parameters.Index().GroupBy(p => (p.Item.dtype, p.Item.device_type, p.Item.device_index))
            .Select(g => g.Select(p => p.Index).ToArray())];
        canOverlap = ranks.Overlaps && groups.Length == 1 && this.parameters[0].device_type == DeviceType.CPU;
        foreach (var (i, parameter) in this.parameters.Index()) places[parameter] = i;
        total = Enumerable.Range(0, this.parameters.Length).Sum(Bytes);
        stretches = new int?[this.parameters.Length];
    }

    /// <summary>The least size of a part, in bytes.</summary>
    public long LeastBytes { get; set; } = DefaultBytes;

    /// <inheritdoc/>
    public override bool ShouldBegin(nn.Module layer) => bytes >= LeastBytes && Array.Exists(Of(layer), i => stretches[i] is null);

    /// <summary>Begins a step. Listens to its forward pass; null if nothing is to be gained.</summary>
    public BackwardWatch? Watch()
    {
        sent.Clear();
        if (!canOverlap || total <= LeastBytes) return null;
        Array.Clear(stretches);
        sent.Add(null);
        bytes = 0;
        return this;
    }

    /// <inheritdoc/>
    public override int Begin()
    {
        bytes = 0;
        sent.Add(null);
        return sent.Count - 1;
    }

    /// <inheritdoc/>
    public override void Note(nn.Module layer)
    {
        foreach (var place in Of(layer))
        {
            if (stretches[place] is not null) continue;
            stretches[place] = sent.Count - 1;
            bytes += Bytes(place);
        }
    }

    /// <inheritdoc/>
    public override int CountUntilFull(IReadOnlyList<nn.Module> layers, int from)
    {
        var (size, at) = (bytes, from);
        do
        {
            foreach (var place in Of(layers[at]))
                if (stretches[place] is null) size += Bytes(place);
            at++;
        }
        while (at < layers.Count && size < LeastBytes);
        return at - from;
    }

    /// <inheritdoc/>
    public override void Reached(int stretch)
    {
        if (stretch < sent.Count && sent[stretch] is null) Send(stretch);
    }

    /// <summary>Puts the sums in the place of the gradients.</summary>
    /// <param name="loss">The part of this process in the loss, without dimensions.</param>
    /// <returns>The loss. In the caller's scope.</returns>
    public Tensor Sum(Tensor loss)
    {
        using var _ = no_grad();
        // a mark that this backward pass did not come to, while that of others did
        for (var stretch = sent.Count - 1; stretch > Rest; stretch--)
            if (sent[stretch] is null) Send(stretch);
        var total = loss;
        for (var g = 0; g < groups.Length; g++)
        {
            var sum = Sum(groups[g], loss);
            if (g == 0) total = sum;
        }
        return total;
    }

    private long Bytes(int place) => parameters[place].numel() * parameters[place].ElementSize;

    private int[] Of(nn.Module layer)
    {
        if (owned.TryGetValue(layer, out var found)) return found;
        return owned[layer] = [.. layer.parameters().Where(places.ContainsKey).Select(p => places[p]).Distinct()];
    }

    // takes the gradients away, and begins their sum
    private void Send(int stretch)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        int[] members = [.. Enumerable.Range(0, parameters.Length).Where(i => stretches[i] == stretch)];
        var gradients = Array.ConvertAll(members, i => parameters[i].grad is { } gradient ? scope.Detach(gradient) : null);
        var bucket = scope.Detach(Joined(members, gradients));
        foreach (var i in members) KernelMemory.ClearGradient(parameters[i].Handle);
        sent[stretch] = new Sent(members, gradients, bucket);
        ranks.BeginSum(bucket);
    }

    private Tensor Joined(int[] members, Tensor?[] gradients) =>
        cat([.. members.Select((i, at) => (gradients[at] ?? zeros_like(parameters[i])).reshape(-1))]);

    private Tensor Sum(int[] group, Tensor loss)
    {
        using var scope = NewDisposeScope();
        var (dtype, device) = (parameters[group[0]].dtype, parameters[group[0]].device);
        var parts = sent.OfType<Sent>().ToArray();
        int[] gone = [.. parts.SelectMany(p => p.Members)], rest = [.. group.Except(gone)];
        var before = new Tensor?[parameters.Length];
        foreach (var part in parts)
            for (var i = 0; i < part.Members.Length; i++) before[part.Members[i]] = part.Gradients[i];
        var now = Array.ConvertAll(parameters, p => p.grad);
        // a weight that no process has a gradient of stays without one: an optimizer leaves it alone
        var there = Array.ConvertAll(group, i => (before[i] ?? now[i]) is null ? 0f : 1f);
        var later = gone.Any(i => now[i] is not null) ? 1f : 0;
        var bucket = cat([loss.detach().to(dtype, device).reshape(1), tensor([later, .. there], device: CPU).to(dtype, device),
            .. rest.Select(i => (now[i] ?? zeros_like(parameters[i])).reshape(-1))]);
        ranks.SumInPlace(bucket);
        var heads = bucket.narrow(0, 1, 1 + group.Length).FetchDoubles();
        if (parts.Length > 0) ranks.EndSums();
        var anywhere = group.Zip(heads[1..]).ToDictionary(p => p.First, p => p.Second > 0);
        Put(bucket.narrow(0, 2 + group.Length, bucket.numel() - 2 - group.Length), rest, Array.ConvertAll(rest, i => now[i]), anywhere);
        Tensor? more = heads[0] > 0 ? Joined(gone, [.. gone.Select(i => now[i])]) : null;
        if (more is not null) ranks.SumInPlace(more);
        var start = 0L;
        foreach (var part in parts)
        {
            using var own = part.Bucket;
            more?.narrow(0, start, own.numel()).add_(own, Scalars.One);
            Put(more?.narrow(0, start, own.numel()) ?? own, part.Members, part.Gradients, anywhere);
            start += own.numel();
            foreach (var gradient in part.Gradients) gradient?.Dispose();
        }
        return scope.MoveToOuter(bucket[0].to(loss.dtype, loss.device));
    }

    // fills the gradients that this process had; one that only others had is new
    private void Put(Tensor sums, int[] members, Tensor?[] own, Dictionary<int, bool> anywhere)
    {
        using var scope = NewDisposeScope();
        var start = 0L;
        foreach (var (at, i) in members.Index())
        {
            var parameter = parameters[i];
            var sum = sums.narrow(0, start, parameter.numel()).view_as(parameter);
            start += parameter.numel();
            if (own[at] is { } filled)
            {
                filled.copy_(sum);
                parameter.grad = filled;
            }
            else if (anywhere[i]) parameter.grad = scope.Detach(sum.clone());
        }
    }

    /// <summary>A part whose sum has begun.</summary>
    /// <param name="Members">The places of its weights.</param>
    /// <param name="Gradients">Their gradients on this process, which are filled with the sums; null if there was none.</param>
    /// <param name="Bucket">What is summed.</param>
    private sealed record Sent(int[] Members, Tensor?[] Gradients, Tensor Bucket);
}
