using RealNvp.Internal;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public partial class Flow
{
    /// <summary>As <see cref="Evaluate(Tensor, Tensor, int, long, IProgress{long}, bool, CancellationToken)"/> of data of which this
    /// process has some rows: their scores are those that one process with all data gives them, noise included.</summary>
    /// <param name="x">The rows of this process, at least one.</param>
    /// <param name="context">Their contexts.</param>
    /// <param name="places">Their places in the whole data, ascending.</param>
    /// <param name="total">The number of rows of the whole data.</param>
    /// <param name="batchSize">The number of rows of the whole data at a time.</param>
    /// <param name="seed">Fixes the noise.</param>
    /// <returns>What is known of these rows: their number, and the mean of those that are finite.</returns>
    internal Evaluation Evaluate(Tensor x, Tensor? context, long[] places, long total, int batchSize, long seed)
    {
        var owner = $"{GetName()}.{nameof(Evaluate)}";
        var passes = Passing(batchSize, null, CancellationToken.None);
        using var mode = EvaluationGate.Evaluate(this);
        using var gradients = no_grad();
        using var scope = NewDisposeScope();
        CheckDataSet(x, context, owner);
        using var random = PassState.Seed(seed);
        double sum = 0;
        long finite = 0;
        passes.Each(total, owner, (start, size) =>
        {
            var (first, rows, share) = RowShare.Within(places, start, size);
            using var where = share.Places;
            // without rows of this part, the generator must go on all the same
            if (!share.Counts && !IsStochastic) return;
            var (part, given) = Rows(x, context, first, rows);
            var input = Prepared(ToWeights(part));
            var features = Features(given is null ? null : ToWeights(given), input.dtype, owner, mayWait: false);
            Tensor logProb;
            using (RowShare.Enter(share, null)) logProb = LogProbOf(owner, input, features);
            if (!share.Counts) return;
            CheckLogDensities(logProb, first, owner, faulty => LogProbOf(owner, input.index_select(0, faulty),
                features?.index_select(0, faulty)));
            foreach (var value in logProb.FetchDoubles())
            {
                if (double.IsNegativeInfinity(value)) continue;
                sum += value;
                finite++;
            }
        });
        return new Evaluation
        {
            Count = places.Length, MeanLogProb = finite == places.Length ? sum / finite : double.NegativeInfinity,
            StandardError = double.NaN, BitsPerDim = double.NaN, Likelihood = Likelihood, FiniteCount = finite,
            FiniteMeanLogProb = finite > 0 ? sum / finite : double.NaN,
        };
    }
}
