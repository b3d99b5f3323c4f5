using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp.Ode;

/// <summary>The walk back through steps of the reversible scheme.</summary>
internal sealed class OdePairWalk(OdeJob job, OdeRecord record, IReadOnlyList<Tensor> given, IReadOnlyList<Tensor> parameters,
    Tensor gradient)
{
    private readonly OdePair scheme = new(new OdeReplay(job.System, job.Plan.Tableau), job.Plan.Options.ReversibleCoupling);
    private readonly long m = gradient.size(1);

    /// <summary>How far the rebuilt start was from the true one, relative to its size.</summary>
    public double Drift { get; private set; }

    /// <summary>From states that are rebuilt from the last one.</summary>
    public OdeGradients Rebuild(Tensor start, Tensor end)
    {
        var gradients = New();
        var states = end.detach().clone();
        for (var i = record.Count - 1; i >= 0; i--)
        {
            using var scope = NewDisposeScope();
            var (index, time, step) = record.Step(i);
            if (index.size(0) == 0) continue;
            Tensor before;
            using (no_grad())
            {
                var (y, z) = Parts(states.index_select(0, index));
                var (earlier, other) = scheme.Undo(y, z, time, step, Own(index));
                before = cat([earlier, other], 1);
                states.index_copy_(0, index, before);
            }
            Back(gradients, i, before);
        }
        using (no_grad())
        {
            using var scope = NewDisposeScope();
            var size = start.abs().amax().clamp_min(Scalars.One);
            Drift = states.sub(cat([start, start], 1)).abs().amax().div(size).FetchDouble();
        }
        return gradients;
    }

    /// <summary>From states that are all computed again from the start and stored.</summary>
    public OdeGradients Replay(Tensor start)
    {
        var states = new List<Tensor>(record.Count);
        using (no_grad())
        {
            var all = cat([start, start], 1).detach();
            for (var i = 0; i < record.Count; i++)
            {
                var (index, time, step) = record.Step(i);
                states.Add(all.index_select(0, index));
                if (index.size(0) == 0) continue;
                using var scope = NewDisposeScope();
                var (y, z) = Parts(states[i]);
                var (next, other) = scheme.Step(y, z, time, step, Own(index));
                all.index_copy_(0, index, cat([next, other], 1));
            }
        }
        var gradients = New();
        for (var i = record.Count - 1; i >= 0; i--)
        {
            if (states[i].size(0) > 0) Back(gradients, i, states[i]);
            states[i].Dispose();
        }
        return gradients;
    }

    private OdeGradients New() => new(cat([gradient, zeros_like(gradient)], 1), given, parameters);

    private void Back(OdeGradients gradients, int i, Tensor before)
    {
        using var scope = NewDisposeScope();
        var (index, time, step) = record.Step(i);
        var (ofY, ofZ) = Parts(gradients.State.index_select(0, index));
        var (y, z) = Parts(before);
        var slopes = gradients.Through(index, given, [y, z], [ofY, ofZ], (leaves, own) =>
        {
            var (next, other) = scheme.Step(leaves[0], leaves[1], time, step, own);
            return [next, other];
        });
        using var mode = no_grad();
        gradients.State.index_copy_(0, index, cat(slopes, 1));
    }

    private (Tensor Y, Tensor Z) Parts(Tensor state) => (state.narrow(1, 0, m), state.narrow(1, m, m));

    private Tensor[] Own(Tensor index) => [.. given.Select(g => g.detach().index_select(0, index))];
}
