using static TorchSharp.torch;

namespace RealNvp.Plotting;

/// <summary>A log-density with the arguments of
/// <see cref="Flow.LogProb(Tensor, Tensor, long?, int?, IProgress{long}, CancellationToken)"/>,
/// so that <c>flow.LogProb</c> is one by itself.</summary>
/// <param name="x">(K, 2): points, which stay as they are.</param>
/// <param name="context">(K, ...): the context of each point, or null.</param>
/// <param name="seed">Fixes the noise of a dequantization; pictures give 0.</param>
/// <param name="batchSize">The number of rows at a time; pictures give null.</param>
/// <param name="progress">Hears of progress; pictures give null.</param>
/// <param name="cancellationToken">Ends the call; pictures give none.</param>
/// <returns>(K) log-densities.</returns>
public delegate Tensor LogProbFunction(Tensor x, Tensor? context = null, long? seed = null, int? batchSize = null,
    IProgress<long>? progress = null, CancellationToken cancellationToken = default);
