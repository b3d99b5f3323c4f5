using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>
/// The gradients of a vector of rows through all of their steps. A step is computed again with all that its stages leave, and then
/// walked back, stage by stage; the gradients of weights are summed over the stages of a step at once.
/// </summary>
/// <remarks>With gₖ of the slope of stage k and G of its point: gₖ = h (bₖ λ + Σ over later stages of aₘₖ Gₘ), and λ gets Σ Gₖ. The
/// log-determinant is in no slope, so its gradient is the same at all times.</remarks>
internal sealed unsafe class DynamicsGradient<TLanes, T>
    where TLanes : struct, ILanes<TLanes, T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly DynamicsWalk<T> walk;
    private readonly DynamicsTape<TLanes, T> tape;
    private readonly OdeScheme scheme;
    private readonly int features, stages, width;
    private readonly T* state, step, times, lambda, logDet, weighted;
    private readonly T*[] slopes, points;

    /// <param name="walk">What is walked.</param>
    /// <param name="memory">As many elements as <see cref="Size"/>.</param>
    /// <param name="sums">Gets the gradients of the weights.</param>
    public DynamicsGradient(DynamicsWalk<T> walk, T* memory, T* sums)
    {
        (this.walk, scheme, stages) = (walk, walk.Scheme, walk.Stages);
        (features, width) = (walk.Call.Program.Features, walk.Call.Width);
        T* Take(int count)
        {
            var at = memory;
            memory += count * TLanes.Count;
            return at;
        }
        state = Take(features);
        lambda = Take(features);
        step = Take(1);
        logDet = Take(1);
        weighted = Take(1);
        times = Take(stages);
        (slopes, points) = (new T*[stages], new T*[stages]);
        for (var i = 0; i < stages; i++)
        {
            slopes[i] = Take(features);
            points[i] = Take(features);
        }
        tape = new(walk.Call, stages, memory, sums);
    }

    /// <summary>The elements of memory that a vector of rows needs.</summary>
    public static long Size(DynamicsWalk<T> walk) => DynamicsTape<TLanes, T>.Size(walk.Call, walk.Stages)
        + (((2L + (2 * walk.Stages)) * walk.Call.Program.Features) + 3 + walk.Stages) * TLanes.Count;

    /// <summary>The gradients of rows first ... first + count - 1, at most as many as lanes.</summary>
    public void Run(int first, int count)
    {
        var most = 0L;
        for (var lane = 0; lane < TLanes.Count; lane++)
        {
            for (var d = 0; d < features; d++)
                lambda[(d * TLanes.Count) + lane] = lane < count ? walk.Gradient[((nint)(first + lane) * width) + d] : T.Zero;
            logDet[lane] = lane < count && width > features ? walk.Gradient[((nint)(first + lane) * width) + features] : T.Zero;
            if (lane < count) most = Math.Max(most, walk.First[first + lane + 1] - walk.First[first + lane]);
        }
        tape.Begin(first, count);
        for (var i = most - 1; i >= 0; i--)
        {
            Load(first, count, i);
            Forward();
            Backward();
        }
        tape.End(walk, first, count);
        for (var lane = 0; lane < count; lane++)
        {
            for (var d = 0; d < features; d++)
                walk.StartGradient[((nint)(first + lane) * width) + d] = lambda[(d * TLanes.Count) + lane];
            if (width > features) walk.StartGradient[((nint)(first + lane) * width) + features] = logDet[lane];
        }
    }

    // step i of each row; a row with fewer steps takes one of size 0
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Load(int first, int count, long i)
    {
        for (var lane = 0; lane < TLanes.Count; lane++)
        {
            var at = lane < count ? walk.First[first + lane] + i : 0;
            var has = lane < count && at < walk.First[first + lane + 1];
            var (time, size) = has ? (walk.Steps[2 * at], walk.Steps[(2 * at) + 1]) : (0, 0);
            step[lane] = T.CreateTruncating(size);
            for (var k = 0; k < stages; k++) times[(k * TLanes.Count) + lane] = T.CreateTruncating(time + (scheme.Nodes[k] * size));
            for (var d = 0; d < features; d++)
                state[(d * TLanes.Count) + lane] = has ? walk.States[(at * width) + d] : T.Zero;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Forward()
    {
        var h = TLanes.Load(step);
        for (var k = 0; k < stages; k++)
        {
            for (var d = 0; d < features; d++)
            {
                var at = d * TLanes.Count;
                var sum = TLanes.Zero;
                for (var j = 0; j < k; j++)
                    if (scheme.Stages[k][j] != 0)
                        TLanes.Accumulate(ref sum, TLanes.Number(scheme.Stages[k][j]), TLanes.Load(slopes[j] + at));
                TLanes.Store(TLanes.MultiplyAdd(h, sum, TLanes.Load(state + at)), points[k] + at);
            }
            tape.Forward(k, times + (k * TLanes.Count), points[k], slopes[k]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Backward()
    {
        var h = TLanes.Load(step);
        for (var k = stages - 1; k >= 0; k--)
        {
            var weight = TLanes.Number(scheme.Weights[k]);
            TLanes.Store(h * weight * TLanes.Load(logDet), weighted);
            for (var d = 0; d < features; d++)
            {
                var at = d * TLanes.Count;
                var sum = weight * TLanes.Load(lambda + at);
                for (var m = k + 1; m < stages; m++)
                    if (scheme.Stages[m][k] != 0)
                        TLanes.Accumulate(ref sum, TLanes.Number(scheme.Stages[m][k]), TLanes.Load(points[m] + at));
                TLanes.Store(h * sum, slopes[k] + at);
            }
            // the point is not needed any more: its gradient takes its place
            tape.Backward(k, times + (k * TLanes.Count), slopes[k], weighted, points[k]);
        }
        for (var d = 0; d < features; d++)
        {
            var at = d * TLanes.Count;
            var sum = TLanes.Load(lambda + at);
            for (var k = 0; k < stages; k++) sum += TLanes.Load(points[k] + at);
            TLanes.Store(sum, lambda + at);
        }
        tape.Sum();
    }
}
