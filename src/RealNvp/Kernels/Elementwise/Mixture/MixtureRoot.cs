using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>
/// The x with τ(x) = y of a vector of elements, by Newton's method inside a bracket.
/// Streams: y, parameters; x, |τ(x) − y|/max(1, |y|), or 0 if x is the root to 14 digits.
/// </summary>
/// <remarks>
/// logit F lies between the lines of its components, so x lies between their inverses at y. A step that leaves the bracket, is no number or
/// is not half of the one before becomes the middle: each halves something.
/// A lane that is done stays where it is. Its numbers are those of float64.
/// </remarks>
internal readonly unsafe struct MixtureRoot<TLanes, T>(int components) : IElementKernel<T>
    where TLanes : struct, ILanes<TLanes, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly MixtureCurve<TLanes, T> curve = new(components);

    /// <inheritdoc/>
    public int Scratch => curve.Scratch + 1;

    /// <summary>Where a vector of searches is.</summary>
    private struct Search
    {
        public TLanes Target, X, Low, High;

        /// <summary>The last step, or the bracket where that was its middle.</summary>
        public TLanes Before;

        /// <summary>logit F(x) − target.</summary>
        public TLanes Residual;

        /// <summary>1 if the last step was as small as rounding lets it be, and where the search is over; 0 elsewhere.</summary>
        public TLanes Close, Done;
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(T** at, nint* steps, T* scratch)
    {
        Unsafe.SkipInit(out MixturePoint<TLanes> point);
        Unsafe.SkipInit(out Search search);
        var parameters = at[1];
        var step = steps[1];
        var flags = scratch + (curve.Scratch * TLanes.Count);
        curve.Prepare(parameters, step, scratch, ref point);
        var last = parameters + (3 * components * step);
        MixtureCurve<TLanes, T>.Bounded(TLanes.Load(last), MixtureLimits.MaxLogScale, out var logScale, out _);
        Begin(TLanes.Load(at[0]) - TLanes.Load(last + step), logScale, parameters + (components * step), step, scratch, ref search);
        for (var i = 0; ; i++)
        {
            curve.Run(search.X, parameters, step, scratch, ref point);
            Judge(point, ref search);
            if (i == MixtureLimits.MaxSteps || AreDone(search.Done, flags)) break;
            Step(point, ref search);
        }
        TLanes.Store(search.X, at[2]);
        var scale = TLanes.Max(TLanes.Number(1), TLanes.Abs(TLanes.Load(at[0])));
        var residual = TLanes.Abs(search.Residual) * LaneMath<TLanes, T>.Exp(logScale) / scale;
        // where the map is steep, the number next to the root has a large residual too: a root to 14 digits of x counts as exact
        var rest = TLanes.Abs(search.Residual) * LaneMath<TLanes, T>.Exp(-point.LogDerivative);
        var exact = TLanes.AtLeast(TLanes.Max(TLanes.Number(1), TLanes.Abs(search.X)) * TLanes.Number(MixtureLimits.LastDigits), rest);
        TLanes.Store(TLanes.Select(exact, TLanes.Number(0), residual), at[3]);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Begin(in TLanes shifted, in TLanes logScale, T* mean, nint step, T* component, ref Search search)
    {
        TLanes zero = TLanes.Number(0), one = TLanes.Number(1);
        var target = shifted * LaneMath<TLanes, T>.Exp(-logScale);
        var low = TLanes.Number(double.PositiveInfinity);
        var high = -low;
        for (var k = 0; k < components; k++, mean += step, component += MixtureCurve<TLanes, T>.Stride)
        {
            var line = TLanes.MultiplyAdd(target,
                one / TLanes.Load(MixtureCurve<TLanes, T>.At(component, MixtureCurve<TLanes, T>.InverseSize)), TLanes.Load(mean));
            low = TLanes.Min(low, line);
            high = TLanes.Max(high, line);
        }
        (search.Target, search.Low, search.High, search.Before) = (target, low, high, high - low);
        search.X = (low + high) * TLanes.Number(0.5);
        (search.Close, search.Done) = (zero, zero);
    }

    /// <summary>Ends searches that have found their root.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Judge(in MixturePoint<TLanes> point, ref Search search)
    {
        var one = TLanes.Number(1);
        var residual = point.Logit - search.Target;
        search.Residual = residual;
        // where the map is flat, rounding of the value hides the step, and where it is steep, rounding of x hides the value
        var small = TLanes.AtLeast(TLanes.Max(one, TLanes.Abs(search.Target)) * TLanes.Number(MixtureLimits.SmallResidual),
            TLanes.Abs(residual));
        var done = TLanes.Select(small, one, TLanes.Max(search.Close, search.Done));
        // what is no number won't become one
        search.Done = TLanes.Select(TLanes.Same(residual, residual), done, one);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Step(in MixturePoint<TLanes> point, ref Search search)
    {
        TLanes zero = TLanes.Number(0), one = TLanes.Number(1), half = TLanes.Number(0.5);
        var (x, residual) = (search.X, search.Residual);
        var tooHigh = TLanes.Above(residual, zero);
        var low = TLanes.Select(tooHigh, search.Low, x);
        var high = TLanes.Select(tooHigh, x, search.High);
        var newton = x - (residual * LaneMath<TLanes, T>.Exp(-point.LogDerivative));
        var good = TLanes.AtLeast(newton, low);
        good = TLanes.Select(good, TLanes.AtLeast(high, newton), good);
        good = TLanes.Select(good, TLanes.AtLeast(search.Before * half, TLanes.Abs(newton - x)), good);
        var next = TLanes.Select(good, newton, (low + high) * half);
        var change = TLanes.Abs(next - x);
        search.Close = TLanes.Select(TLanes.AtLeast(TLanes.Max(one, TLanes.Abs(x)) * TLanes.Number(MixtureLimits.SmallStep), change), one,
            zero);
        search.Before = TLanes.Select(good, change, high - low);
        var done = TLanes.Same(search.Done, one);
        search.X = TLanes.Select(done, x, next);
        (search.Low, search.High) = (low, high);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool AreDone(in TLanes done, T* flags)
    {
        TLanes.Store(done, flags);
        for (var i = 0; i < TLanes.Count; i++) if (flags[i] == T.Zero) return false;
        return true;
    }
}
