using System.Diagnostics;
using RealNvp.Kernels;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Performance;

/// <summary>What lies in memory that nothing was written to must not slow a kernel: it multiplies whole vectors, and a multiply-add of
/// numbers below the smallest normal one takes a hundred times as long on many processors.</summary>
public class UnusedMemoryTests
{
    // a machine that is busy gets more tries; memory that slows a kernel does so each time
    private const int Rows = 96, Tries = 12, MostTries = 60;
    private const double Most = 1.6;

    public static TheoryData<string> Some => ["Toy2D", "Tabular", "Digits8x8", "Spline, Toy2D", "MAF, Tabular", "IAF, Toy2D",
        "Glow, Digits8x8", "Residual, Toy2D", "FFJORD, Toy2D"];

    public static TheoryData<string> Others => [.. PresetTable.All.Keys.Except(Some.Select(row => row.Data))];

    [Theory, MemberData(nameof(Some))]
    public void Kernels_are_as_fast_whatever_lies_in_unused_memory(string name)
    {
        using var scope = NewDisposeScope();
        using var model = PresetTable.Create(name).to(float32);
        var shape = model.InputShape;
        var rows = shape.Count == 1 ? Rows : 8;
        var context = model.ContextSize > 0 ? randn(rows, model.ContextSize) : null;
        Tensor x;
        using (no_grad()) x = model.Sample(context is null ? rows : 1, context).reshape(shape.WithBatch(rows));
        model.train();
        model.NegativeLogLikelihood(x, context).backward();
        Same(() => model.NegativeLogLikelihood(x, context).backward(), "a training step");
        model.eval();
        Same(() => { using var _ = no_grad(); model.LogProb(x, context); }, "a log-probability");
        Same(() => { using var _ = no_grad(); model.Sample(rows, context is null ? null : context[..1]); }, "a sample");

        void Same(Action run, string what)
        {
            double zero = double.MaxValue, tiny = double.MaxValue;
            for (var i = 0; i < Tries || (i < MostTries && tiny > Most * zero); i++)
            {
                zero = Math.Min(zero, Time(run, 0));
                tiny = Math.Min(tiny, Time(run, 1e-41f));
            }
            (tiny / zero).Should().BeLessThan(Most, $"{what} of {name} took {tiny * 1e6:F0} µs after {zero * 1e6:F0}");
        }
    }

    [SlowTheory, MemberData(nameof(Others))]
    public void So_are_those_of_all_other_presets(string name) => Kernels_are_as_fast_whatever_lies_in_unused_memory(name);

    private static unsafe double Time(Action run, float value)
    {
        const int size = 1 << 19;
        foreach (var memory in (nint[])[(nint)KernelScratch.Own(size), (nint)KernelScratch.Shared(size), (nint)KernelScratch.Held(size)])
            new Span<float>((void*)memory, size).Fill(value);
        using var scope = NewDisposeScope();
        var clock = Stopwatch.GetTimestamp();
        run();
        return Stopwatch.GetElapsedTime(clock).TotalSeconds;
    }
}
