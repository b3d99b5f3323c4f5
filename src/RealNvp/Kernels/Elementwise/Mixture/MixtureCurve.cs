using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>What <see cref="MixtureCurve{TLanes, T}"/> found for a vector of elements, beside what it has for each component.</summary>
internal struct MixturePoint<TLanes>
{
    /// <summary>The largest logit of a weight.</summary>
    public TLanes LargestWeight;

    /// <summary>The largest logarithms of the parts below and above x, and the sums of the parts as multiples of those.</summary>
    public TLanes LargestBelow, LargestAbove, SumBelow, SumAbove;

    /// <summary>logit F(x), and the logarithm of its derivative.</summary>
    public TLanes Logit, LogDerivative;

    /// <summary>The larger one and the smaller one of F and 1 − F.</summary>
    public TLanes Most, Least;

    /// <summary>The logarithm of the largest density, the sum of all as multiples of it, and the derivative as a multiple of it.</summary>
    public TLanes LargestDensity, SumDensity, Derivative;
}

/// <summary>logit F(x) of a vector of elements and the logarithm of its derivative, with F = Σ πᵢ σ(uᵢ) and u = (x − μ)/s.</summary>
/// <remarks>
/// <para>With h = σ(|u|), component i has the part exp(aᵢ + min(u, 0)) h of F and exp(aᵢ + min(−u, 0)) h of 1 − F, up to one factor that a
/// quotient lacks. So sums of them as multiples of the largest are near 1 in both tails, and the exponents carry the rest.</para>
/// <para>Its density is exp(aᵢ − |u|) h²/s, and D = d logit F/dx = f/(F (1 − F)) for their sum f. On the right, D is the sum of the parts
/// of 1 − F, each times σ(u)/s, over 1 − F and over F, which is 1/(1 + exp(−logit F)); on the left with below for above. Nothing there
/// cancels, and the largest exponent is taken out, since between components that are far apart all of it is too small for its dtype.</para>
/// </remarks>
internal readonly unsafe struct MixtureCurve<TLanes, T>(int components)
    where TLanes : struct, ILanes<TLanes, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    // the numbers of a component, each a vector; what is below, above and the density are first logarithms, then multiples of the largest
    public const int LogSize = 0, InverseSize = 1, Place = 2, Sure = 3, LogBelow = 4, LogAbove = 5, Below = 6, Above = 7, Density = 8,
        SizeRate = 9;
    private const int Fields = 10;

    /// <summary>K.</summary>
    public int Components => components;

    /// <summary>Numbers of memory for each lane.</summary>
    public int Scratch => Fields * components;

    /// <summary>From one component to the next in the memory.</summary>
    public static int Stride => Fields * TLanes.Count;

    /// <summary>Where a component has one of its numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T* At(T* component, int field) => component + (field * TLanes.Count);

    /// <summary>What does not depend on x: the sizes. Before <see cref="Run"/>.</summary>
    /// <param name="parameters">Where the first parameter is.</param>
    /// <param name="step">From one to the next.</param>
    /// <param name="memory">Memory.</param>
    /// <param name="point">Gets the largest logit.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Prepare(T* parameters, nint step, T* memory, ref MixturePoint<TLanes> point)
    {
        var largest = TLanes.Load(parameters);
        for (var k = 1; k < components; k++) largest = TLanes.Max(largest, TLanes.Load(parameters + (k * step)));
        point.LargestWeight = largest;
        var raw = parameters + (2 * components * step);
        for (var k = 0; k < components; k++, raw += step, memory += Stride)
        {
            var size = TLanes.Load(raw);
            Bounded(size, MixtureLimits.MaxLogSize, out size, out var rate);
            TLanes.Store(size, At(memory, LogSize));
            TLanes.Store(rate, At(memory, SizeRate));
            TLanes.Store(LaneMath<TLanes, T>.Exp(-size), At(memory, InverseSize));
        }
    }

    /// <summary>max · tanh(raw/max) and its derivative. In float32 with what
    /// rounding took from the quotients, for all else depends on it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Bounded(in TLanes raw, double max, out TLanes value, out TLanes rate)
    {
        TLanes limit = TLanes.Number(max), zero = TLanes.Number(0), two = TLanes.Number(2);
        var z = raw / limit;
        var size = TLanes.Abs(z);
        var e = LaneMath<TLanes, T>.ExpMinusOneOfNegative(-(size + size), out var exp);
        var below = two + e;
        // −tanh |z|
        var quotient = e / below;
        // 1 − tanh² without the difference
        rate = TLanes.Number(4) * exp / (below * below);
        if (typeof(T) == typeof(float))
        {
            var lost = (TLanes.MultiplyAdd(-quotient, below, e) - (quotient * (e - (below - two)))) / below;
            var lostBefore = TLanes.MultiplyAdd(size, limit, -TLanes.Abs(raw)) * rate;
            value = TLanes.MultiplyAdd(quotient, limit, TLanes.MultiplyAdd(lost, limit, lostBefore));
        }
        else value = quotient * limit;
        value = TLanes.Select(TLanes.AtLeast(z, zero), -value, value);
    }

    /// <summary>Value and derivative at x.</summary>
    /// <param name="x">The place.</param>
    /// <param name="parameters">Where the first parameter is.</param>
    /// <param name="step">From one to the next.</param>
    /// <param name="memory">What <see cref="Prepare"/> has written to.</param>
    /// <param name="point">The result.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(in TLanes x, T* parameters, nint step, T* memory, ref MixturePoint<TLanes> point)
    {
        Places(x, parameters, step, memory, ref point);
        Parts(memory, ref point);
        Densities(memory, ref point);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Places(in TLanes x, T* weight, nint step, T* memory, ref MixturePoint<TLanes> point)
    {
        TLanes zero = TLanes.Number(0), one = TLanes.Number(1);
        var (at, largestWeight) = (x, point.LargestWeight);
        var mean = weight + (components * step);
        var largestBelow = TLanes.Number(double.NegativeInfinity);
        var largestAbove = largestBelow;
        for (var k = 0; k < components; k++, weight += step, mean += step, memory += Stride)
        {
            var logit = TLanes.Load(weight) - largestWeight;
            var u = (at - TLanes.Load(mean)) * TLanes.Load(At(memory, InverseSize));
            TLanes.Store(u, At(memory, Place));
            TLanes.Store(one / (one + LaneMath<TLanes, T>.ExpOfNegative(-TLanes.Abs(u))), At(memory, Sure));
            var below = logit + TLanes.Min(zero, u);
            var above = logit + TLanes.Min(zero, -u);
            TLanes.Store(below, At(memory, LogBelow));
            TLanes.Store(above, At(memory, LogAbove));
            largestBelow = TLanes.Max(largestBelow, below);
            largestAbove = TLanes.Max(largestAbove, above);
        }
        (point.LargestBelow, point.LargestAbove) = (largestBelow, largestAbove);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Parts(T* memory, ref MixturePoint<TLanes> point)
    {
        var (largestBelow, largestAbove) = (point.LargestBelow, point.LargestAbove);
        var sumBelow = TLanes.Number(0);
        var (sumAbove, restBelow, restAbove) = (sumBelow, sumBelow, sumBelow);
        for (var k = 0; k < components; k++, memory += Stride)
        {
            var sure = TLanes.Load(At(memory, Sure));
            var below = TLanes.Load(At(memory, LogBelow)) - largestBelow;
            var above = TLanes.Load(At(memory, LogAbove)) - largestAbove;
            TLanes.Store(below, At(memory, LogBelow));
            TLanes.Store(above, At(memory, LogAbove));
            below = LaneMath<TLanes, T>.ExpOfNegative(below) * sure;
            above = LaneMath<TLanes, T>.ExpOfNegative(above) * sure;
            TLanes.Store(below, At(memory, Below));
            TLanes.Store(above, At(memory, Above));
            Add(ref sumBelow, below, ref restBelow);
            Add(ref sumAbove, above, ref restAbove);
        }
        (sumBelow, sumAbove) = (sumBelow + restBelow, sumAbove + restAbove);
        (point.SumBelow, point.SumAbove) = (sumBelow, sumAbove);
        point.Logit = largestBelow - largestAbove + TLanes.Log(sumBelow / sumAbove);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Densities(T* memory, ref MixturePoint<TLanes> point)
    {
        var zero = TLanes.Number(0);
        var right = TLanes.AtLeast(point.Logit, zero);
        var largest = TLanes.Number(double.NegativeInfinity);
        var component = memory;
        for (var k = 0; k < components; k++, component += Stride)
        {
            var u = TLanes.Load(At(component, Place));
            var part = TLanes.Select(right, TLanes.Load(At(component, LogAbove)), TLanes.Load(At(component, LogBelow)));
            var density = part + TLanes.Min(zero, TLanes.Select(right, u, -u)) - TLanes.Load(At(component, LogSize));
            TLanes.Store(density, At(component, Density));
            largest = TLanes.Max(largest, density);
        }
        var (sum, rest) = (zero, zero);
        for (var k = 0; k < components; k++, memory += Stride)
        {
            var sure = TLanes.Load(At(memory, Sure));
            var density = LaneMath<TLanes, T>.ExpOfNegative(TLanes.Load(At(memory, Density)) - largest) * sure * sure;
            TLanes.Store(density, At(memory, Density));
            Add(ref sum, density, ref rest);
        }
        Finish(right, largest, sum + rest, ref point);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Finish(in TLanes right, in TLanes largest, in TLanes sum, ref MixturePoint<TLanes> point)
    {
        var fade = LaneMath<TLanes, T>.ExpOfNegative(-TLanes.Abs(point.Logit));
        var most = TLanes.Number(1) / (TLanes.Number(1) + fade);
        (point.Most, point.Least) = (most, fade * most);
        // where one component is all, the quotient is 1 to the last bit
        var derivative = sum / (TLanes.Select(right, point.SumAbove, point.SumBelow) * most);
        (point.LargestDensity, point.SumDensity, point.Derivative) = (largest, sum, derivative);
        point.LogDerivative = largest + TLanes.Log(derivative);
    }

    /// <summary>Adds to a sum. In float32 the rounding of many terms would be more than that of all the rest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(ref TLanes sum, TLanes term, ref TLanes rest)
    {
        if (typeof(T) == typeof(float)) sum = LaneMath<TLanes, T>.Add(sum, term, ref rest);
        else sum += term;
    }
}
