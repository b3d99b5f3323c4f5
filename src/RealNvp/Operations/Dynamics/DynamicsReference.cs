using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>A velocity that is a network of linear layers, and the steps of its solves, in plain operations: for gradients of
/// gradients.</summary>
internal static class DynamicsReference
{
    /// <summary>y at the end (N, M) by the steps that were taken, with gradients of any order. In the caller's scope.</summary>
    /// <param name="shape">The solve.</param>
    /// <param name="start">y at the start (N, M).</param>
    /// <param name="tensors">Those of <see cref="DynamicsRun.Tensors"/>.</param>
    /// <param name="taken">Its steps.</param>
    public static Tensor Of(DynamicsShape shape, Tensor start, IReadOnlyList<Tensor?> tensors, DynamicsSteps taken)
    {
        var (n, state) = (start.size(0), start);
        // the next step of each example, and how many are left of its own
        var next = taken.First.narrow(0, 0, n);
        var left = taken.First.narrow(0, 1, n).sub(next);
        for (var rounds = left.max().FetchInt64(); rounds > 0; rounds--)
        {
            var index = left.gt(Scalars.Zero).nonzero().squeeze(1);
            var step = taken.Steps.index_select(0, next.index_select(0, index));
            var all = index.size(0) == n;
            var rows = all ? state : state.index_select(0, index);
            var moved = rows.add(Increment(shape, rows, step.select(1, 0), step.select(1, 1),
                [.. tensors.Select((t, i) => all || t is null || i % DynamicsOperation.OfLayer < DynamicsOperation.OfRowsFrom ? t
                    : t.index_select(0, index))]), Scalars.One);
            state = all ? moved : state.index_copy(0, index, moved);
            (next, left) = (next.add(Scalars.IntegerOne, Scalars.IntegerOne), left.sub(Scalars.IntegerOne));
        }
        return state;
    }

    /// <summary>dy/dt (n, M) at the times t (n): the velocity, and the divergence behind it if it is wanted. In the caller's
    /// scope.</summary>
    /// <param name="layers">The layers at these times.</param>
    /// <param name="withSlope">The function between them, and its derivative.</param>
    /// <param name="y">(n, M).</param>
    /// <param name="wantsDivergence">Whether M is D + 1.</param>
    public static Tensor Slope(IReadOnlyList<TangentLayer> layers, Func<Tensor, (Tensor Value, Tensor Slope)> withSlope, Tensor y,
        bool wantsDivergence)
    {
        var network = new DenseTangents(layers, h => withSlope(h).Value, withSlope);
        if (!wantsDivergence) return network.Velocity(y);
        var (velocity, divergence) = network.Divergence(y.narrow(1, 0, y.size(1) - 1));
        return cat([velocity, divergence.unsqueeze(1)], 1);
    }

    /// <summary>A layer at the times t (n), in the caller's scope.</summary>
    /// <param name="weights">Its weights; those of contexts are not looked at.</param>
    /// <param name="gate">What a context adds to the gate (n, O), or null.</param>
    /// <param name="shift">What it adds to the shift (n, O), or null.</param>
    /// <param name="t">The times.</param>
    public static TangentLayer At(DynamicsWeights weights, Tensor? gate, Tensor? shift, Tensor t)
    {
        var column = t.unsqueeze(1);
        Tensor? scale = null;
        if (weights.Gate is not null)
            scale = Sum(nn.functional.linear(column, weights.Gate, weights.GateBias), gate)!.sigmoid();
        if (weights.Shift is not null) shift = Sum(nn.functional.linear(Seen(column, weights.Shift.size(1)), weights.Shift), shift);
        return new(weights.Weight, weights.Bias, scale, shift);
    }

    // h Σ bⱼ kⱼ
    private static Tensor Increment(DynamicsShape shape, Tensor state, Tensor time, Tensor step, IReadOnlyList<Tensor?> tensors)
    {
        var scheme = shape.Scheme;
        // the last stage of a method with an error is the first one of the next step
        var count = scheme.Error is null ? scheme.Count : scheme.Count - 1;
        var slopes = new List<Tensor>(count);
        for (var i = 0; i < count; i++)
        {
            var t = time.add(step, Scalars.Of(scheme.Nodes[i])).to(state.dtype);
            var point = i == 0 ? state : OdeStepReference.Combine(state, step, slopes, scheme.Stages[i]);
            var layers = Enumerable.Range(0, shape.Program.Layers.Length).Select(l =>
            {
                Tensor? Part(int at) => tensors[(DynamicsOperation.OfLayer * l) + at];
                return At(new(Part(0)!, Part(1), Part(2), Part(3), Part(4)), Part(5), Part(6), t);
            });
            slopes.Add(Slope([.. layers], shape.WithSlope, point, shape.Divergence != Kernels.DynamicsDivergence.None));
        }
        return OdeStepReference.Increment(step, slopes, scheme.Weights.AsSpan(0, count));
    }

    // u(t) (n, K): t, then cos(πkt), then sin(πkt)
    private static Tensor Seen(Tensor column, long functions)
    {
        if (functions == 1) return column;
        var angles = column.mul(Scalars.Range(functions / 2, column.device, 1, column.dtype).mul(Scalars.Of(Math.PI)));
        return cat([column, angles.cos(), angles.sin()], 1);
    }

    private static Tensor? Sum(Tensor? a, Tensor? b) => a is null ? b : b is null ? a : a.add(b, Scalars.One);
}
