using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Estimates of log det(I + J) = Σ (−1)ᵏ⁺¹ tr(Jᵏ)/k by vector-Jacobian products, with gradients.</summary>
internal static class SeriesLogDet
{
    /// <summary>A draw of the number of terms, and the weight of each.</summary>
    public static double[] Draw(ResidualLogDet options, bool training, Generator? generator)
    {
        var exact = training ? options.Terms : options.EvaluationTerms;
        if (options.Series == ResidualSeries.Truncated) return [.. Enumerable.Repeat(1.0, exact)];
        double uniform;
        // on the CPU, so that nothing waits for a device; one number for all rows, whoever has them
        using (RowShare.Pause())
        using (var drawn = Noise.Uniform([1], ScalarType.Float64, CPU, generator)) uniform = drawn.FetchDouble();
        return Weights(options, exact, uniform);
    }

    /// <summary>The weights of all terms: 1 for the first, and 1/P(at least j further)
    /// for the j-th further one, of as many as a uniform number says.</summary>
    public static double[] Weights(ResidualLogDet options, int exact, double uniform)
    {
        var weights = Enumerable.Repeat(1.0, exact).ToList();
        // P(at least j further)
        var (tail, mass) = options.Roulette == RouletteKind.Geometric ? (1.0, 0.0)
            : (-double.ExpM1(-options.RouletteParameter), Math.Exp(-options.RouletteParameter));
        const double smallest = 1e-12;
        for (var j = 1; tail > Math.Max(smallest, uniform); j++)
        {
            weights.Add(1 / tail);
            if (options.Roulette == RouletteKind.Geometric) tail *= 1 - options.RouletteParameter;
            else
            {
                mass *= options.RouletteParameter / j;
                tail -= mass;
            }
        }
        return [.. weights];
    }

    /// <summary>An estimate from one probe: (N), with a graph if gradients are on.</summary>
    /// <param name="at">The network at x.</param>
    /// <param name="probe">ε, of the shape of x.</param>
    /// <param name="weights">The weight of each term.</param>
    /// <param name="options">Which gradient.</param>
    public static Tensor Of(Linearization at, Tensor probe, double[] weights, ResidualLogDet options)
    {
        if (!is_grad_enabled()) return Sum(at, probe, weights, null);
        if (!options.NeumannGradient) return Terms(at, probe, weights);
        using var scope = NewDisposeScope();
        Tensor value, left;
        using (no_grad())
        {
            // w = Σ (−1)ᵏ aₖ (Jᵀ)ᵏ ε: the gradient of log det(I + J) is E[wᵀ ∂J ε]
            var series = new List<Tensor> { probe.clone() };
            value = Sum(at, probe, weights, series[0], options.Series == ResidualSeries.Truncated);
            left = series[0];
        }
        var surrogate = at.Between(left, probe);
        // the value of the estimate, with the gradient of the surrogate, whose own value is no log-determinant
        return scope.MoveToOuter(value.add(surrogate.sub(surrogate.detach()), Scalars.One));
    }

    /// <summary>What Neumann's series gives as left factor, for tests: it is summed up in <paramref name="left"/>.</summary>
    public static Tensor Sum(Linearization at, Tensor probe, double[] weights, Tensor? left, bool truncated = false)
    {
        var (vector, total) = (probe, zeros(probe.shape[0], dtype: probe.dtype, device: probe.device));
        for (var k = 1; k <= weights.Length; k++)
        {
            using var step = NewDisposeScope();
            var next = at.Pull(vector);
            using var factor = Scalars.New((k % 2 == 1 ? 1 : -1) * weights[k - 1] / k);
            total.add_(Batch.SumExamples(next.mul(probe)), factor);
            // a truncated series of n terms has a gradient of n terms too, from the zeroth power on
            if (left is not null && (!truncated || k < weights.Length))
            {
                using var sign = Scalars.New((k % 2 == 0 ? 1 : -1) * weights[k - 1]);
                left.add_(next, sign);
            }
            // the one before is done with: it would live to the end of the series, one for each term
            if (k > 1) vector.Dispose();
            vector = step.MoveToOuter(next);
        }
        return total;
    }

    // each term in the graph
    private static Tensor Terms(Linearization at, Tensor probe, double[] weights)
    {
        Tensor? total = null;
        var vector = probe;
        for (var k = 1; k <= weights.Length; k++)
        {
            vector = at.Pull(vector);
            var term = Batch.SumExamples(vector.mul(probe)).mul(Scalars.Of((k % 2 == 1 ? 1 : -1) * weights[k - 1] / k));
            total = total is null ? term : total.add(term, Scalars.One);
        }
        return total!;
    }
}
