using static TorchSharp.torch;

namespace RealNvp.Ode;

/// <summary>The walk back through the steps of a tape: each is computed again with a graph,
/// from a state that was kept or is computed again from the last one that was.</summary>
internal sealed class OdeBackward(OdeReplay replay, OdeRecord record, IReadOnlyList<Tensor> given, OdeGradients gradients)
{
    public void Run()
    {
        for (var place = record.StatesAt.Count - 1; place >= 0; place--)
        {
            using var scope = NewDisposeScope();
            var first = record.StatesAt[place];
            var end = place + 1 < record.StatesAt.Count ? record.StatesAt[place + 1] : record.Count;
            var states = States(place, first, end);
            for (var i = end - 1; i >= first; i--)
            {
                using var inner = NewDisposeScope();
                Back(record.Step(i), states[i - first]);
            }
        }
    }

    // the states before the steps of a part of the tape, of the examples that took them
    private List<Tensor> States(int place, int first, int end)
    {
        using var mode = no_grad();
        var (index, state) = record.State(place);
        var all = zeros_like(gradients.State);
        all.index_copy_(0, index, state);
        var states = new List<Tensor>(end - first);
        for (var i = first; i < end; i++)
        {
            var (rows, time, step) = record.Step(i);
            var before = all.index_select(0, rows);
            states.Add(before);
            if (i == end - 1 || rows.size(0) == 0) continue;
            using var scope = NewDisposeScope();
            all.index_copy_(0, rows, replay.Step(before, time, step, [.. given.Select(g => g.index_select(0, rows))]));
        }
        return states;
    }

    private void Back((Tensor Index, Tensor Time, Tensor Step) step, Tensor state)
    {
        if (step.Index.size(0) == 0) return;
        var cotangent = gradients.State.index_select(0, step.Index);
        var slope = gradients.Through(step.Index, given, [state], [cotangent],
            (leaves, own) => [replay.Step(leaves[0], step.Time, step.Step, own)]);
        using var mode = no_grad();
        gradients.State.index_copy_(0, step.Index, slope[0]);
    }
}
