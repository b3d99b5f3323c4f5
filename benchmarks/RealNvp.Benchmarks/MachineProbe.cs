using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RealNvp.Benchmarks;

/// <summary>
/// Asks how fast the machine is right now: a loop of nothing but multiply-adds on so many threads, with
/// the widest vectors that the processor has. On a shared or virtual machine the answer changes from
/// second to second, by a factor of two where two processors become halves of one core.
/// </summary>
internal sealed class MachineProbe
{
    private const int Steps = 3_000_000, Chains = 10, Tries = 3, First = 12;

    private readonly int threads;

    /// <summary>Measures a few times, so that <see cref="Best"/> is a peak from the start.</summary>
    public MachineProbe(int threads)
    {
        this.threads = threads;
        for (var i = 0; i < First; i++) Measure();
    }

    /// <summary>The best rate of any probe of this run, in GFLOP/s: the measured peak of so many threads.</summary>
    public double Best { get; private set; }

    /// <summary>The rate of all threads together, in GFLOP/s; takes some 20 ms.</summary>
    public double Measure()
    {
        // threads that have just started may share a processor for a moment: the best of a few tries counts
        var rate = Enumerable.Range(0, Tries).Max(_ => MeasureOnce());
        Best = Math.Max(Best, rate);
        return rate;
    }

    private double MeasureOnce()
    {
        var rates = new double[threads];
        using var start = new Barrier(threads);
        var helpers = Enumerable.Range(1, threads - 1).Select(i => new Thread(() => rates[i] = Run(start))).ToArray();
        foreach (var helper in helpers) helper.Start();
        rates[0] = Run(start);
        foreach (var helper in helpers) helper.Join();
        // a kernel waits for its slowest thread
        return threads * rates.Min();
    }

    private static double Run(Barrier start)
    {
        start.SignalAndWait();
        var clock = Stopwatch.StartNew();
        // as many numbers in either: half as many steps where a vector holds twice as many
        var sink = Avx512F.IsSupported ? Multiply512(Steps / 2) : Multiply256(Steps);
        var seconds = clock.Elapsed.TotalSeconds;
        return float.IsNaN(sink) ? 0 : 2e-9 * Steps * Chains * Vector256<float>.Count / seconds;
    }

    // not inlined: within its caller, as the JIT compiles that after thirty calls, the sums are in memory and the loop takes three to
    // fifteen times as long
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static float Multiply512(int steps)
    {
        var (a, b) = (Vector512.Create(0.999f), Vector512.Create(0.001f));
        Vector512<float> s0 = b, s1 = b, s2 = b, s3 = b, s4 = b, s5 = b, s6 = b, s7 = b, s8 = b, s9 = b;
        for (var i = 0; i < steps; i++)
        {
            s0 = Avx512F.FusedMultiplyAdd(s0, a, b);
            s1 = Avx512F.FusedMultiplyAdd(s1, a, b);
            s2 = Avx512F.FusedMultiplyAdd(s2, a, b);
            s3 = Avx512F.FusedMultiplyAdd(s3, a, b);
            s4 = Avx512F.FusedMultiplyAdd(s4, a, b);
            s5 = Avx512F.FusedMultiplyAdd(s5, a, b);
            s6 = Avx512F.FusedMultiplyAdd(s6, a, b);
            s7 = Avx512F.FusedMultiplyAdd(s7, a, b);
            s8 = Avx512F.FusedMultiplyAdd(s8, a, b);
            s9 = Avx512F.FusedMultiplyAdd(s9, a, b);
        }
        return Vector512.Sum(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static float Multiply256(int steps)
    {
        var (a, b) = (Vector256.Create(0.999f), Vector256.Create(0.001f));
        Vector256<float> s0 = b, s1 = b, s2 = b, s3 = b, s4 = b, s5 = b, s6 = b, s7 = b, s8 = b, s9 = b;
        for (var i = 0; i < steps; i++)
        {
            s0 = Vector256.MultiplyAddEstimate(s0, a, b);
            s1 = Vector256.MultiplyAddEstimate(s1, a, b);
            s2 = Vector256.MultiplyAddEstimate(s2, a, b);
            s3 = Vector256.MultiplyAddEstimate(s3, a, b);
            s4 = Vector256.MultiplyAddEstimate(s4, a, b);
            s5 = Vector256.MultiplyAddEstimate(s5, a, b);
            s6 = Vector256.MultiplyAddEstimate(s6, a, b);
            s7 = Vector256.MultiplyAddEstimate(s7, a, b);
            s8 = Vector256.MultiplyAddEstimate(s8, a, b);
            s9 = Vector256.MultiplyAddEstimate(s9, a, b);
        }
        return Vector256.Sum(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9);
    }
}
