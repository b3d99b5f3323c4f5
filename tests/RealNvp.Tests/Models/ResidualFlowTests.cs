using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Models;

/// <summary>The memory that training of residual flows needs.</summary>
public class ResidualFlowTests
{
    [SlowFact]
    public void The_memory_of_the_Neumann_gradient_does_not_grow_with_the_number_of_terms()
    {
        if (NativeHeapUse.Now is null) Assert.Skip("The C library does not say how much of its heap is in use.");
        long Peak(int terms, bool neumann)
        {
            var logDet = new ResidualLogDet
            {
                ExactUpTo = 0, Series = ResidualSeries.Truncated, Terms = terms, NeumannGradient = neumann,
            };
            using var flow = new Flow([2000], new ResidualLayer([2000], new LipschitzMlp(2000, 2000, 64, 1, zero: false), logDet));
            using var x = randn(500, 2000);
            void Step()
            {
                using var scope = NewDisposeScope();
                flow.NegativeLogLikelihood(x, seed: 1).backward();
            }
            // what is made once is there
            if (neumann) Step();
            flow.zero_grad();
            return NativeHeapUse.PeakGrowth(Step);
        }
        // 4 MB a vector: thirty terms in a graph keep a hundred and more
        var (few, many) = (Peak(3, neumann: true), Peak(30, neumann: true));
        ((double)many / few).Should().BeLessThan(1.2, "{0} bytes for 3 terms, {1} for 30", few, many);
        (Peak(30, neumann: false) - Peak(3, neumann: false)).Should().BeGreaterThan(60 << 20);
    }
}
