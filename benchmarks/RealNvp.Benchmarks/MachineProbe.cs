using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace RealNvp.Benchmarks;

/// <summary>
/// Asks how fast the machine is right now: a loop of nothing but multiply-adds on so many threads. On a shared or virtual
/// machine the answer changes from second to second, by a factor of two where two processors become halves of one core.
/// </summary>
internal sealed class MachineProbe(int threads)
{
    private const int Steps = 3_000_000, Chains = 10, Tries = 3;

    /// <summary>The best rate that any probe has found.</summary>
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
        var sink = Multiply(Steps);
        var seconds = clock.Elapsed.TotalSeconds;
        return float.IsNaN(sink) ? 0 : 2e-9 * Steps * Chains * Vector256<float>.Count / seconds;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Multiply(int steps)
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
