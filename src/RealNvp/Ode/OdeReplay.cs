using RealNvp.Internal;
using RealNvp.Operations;
using static TorchSharp.torch;

namespace RealNvp.Ode;

/// <summary>Computes steps that were taken before once more, with a graph where gradients are on.</summary>
internal sealed class OdeReplay(OdeSystem system, OdeTableau tableau)
{
    /// <summary>The state after a step.</summary>
    public Tensor Step(Tensor state, Tensor time, Tensor step, IReadOnlyList<Tensor> given) =>
        state.add(Increment(state, time, step, given), Scalars.One);

    /// <summary>What a step adds to the state: h Σ bⱼ kⱼ.</summary>
    public Tensor Increment(Tensor state, Tensor time, Tensor step, IReadOnlyList<Tensor> given) =>
        Add(step, Slopes(state, time, step, given));

    /// <summary>What a step with these slopes adds to the state.</summary>
    public Tensor Add(Tensor step, IReadOnlyList<Tensor> slopes) =>
        OdeStepReference.Increment(step, slopes, tableau.Weights.AsSpan(0, slopes.Count));

    /// <summary>The slopes of the stages; without the last one of a method that
    /// is first same as last, which counts for the error alone.</summary>
    public List<Tensor> Slopes(Tensor state, Tensor time, Tensor step, IReadOnlyList<Tensor> given)
    {
        var count = tableau.EndsAtNext ? tableau.Count - 1 : tableau.Count;
        var slopes = new List<Tensor>(count + 1);
        for (var i = 0; i < count; i++)
        {
            var at = time.add(step, Scalars.Of(tableau.Nodes[i])).to(state.dtype);
            var point = i == 0 ? state : OdeStepReference.Combine(state, step, slopes, tableau.Stages[i]);
            slopes.Add(system.Evaluate(at, point, given));
        }
        return slopes;
    }

    /// <summary>All steps from the start to the end, in one graph.</summary>
    public Tensor All(OdeRecord record, Tensor start, IReadOnlyList<Tensor> given)
    {
        var state = start;
        for (var i = 0; i < record.Count; i++)
        {
            var (index, time, step) = record.Step(i);
            if (index.size(0) == 0) continue;
            var whole = index.size(0) == start.size(0);
            var rows = whole ? state : state.index_select(0, index);
            var next = Step(rows, time, step, whole ? given : [.. given.Select(g => g.index_select(0, index))]);
            state = whole ? next : state.index_copy(0, index, next);
        }
        return state;
    }
}
