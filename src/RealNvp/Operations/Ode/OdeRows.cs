using RealNvp.Kernels;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>The examples of a solve that are not done, and where each of them
/// is. Times and steps are float64, whatever the dtype of the state.</summary>
/// <param name="State">y (n, M).</param>
/// <param name="Slope">f(t, y) (n, M), if it is known.</param>
/// <param name="Time">t (n).</param>
/// <param name="Step">The step to try (n), negative backwards in time; 0 for an example that is done.</param>
/// <param name="Error">The error of the step before (n), negative if that was rejected.</param>
/// <param name="Counts">Accepted steps, rejected steps, status (a number of
/// <see cref="OdeControl"/>) and worst component: (4, n) of int64.</param>
/// <param name="Index">Which examples of the caller these are (n), int64.</param>
internal sealed record OdeRows(Tensor State, Tensor Slope, Tensor Time, Tensor Step, Tensor Error, Tensor Counts, Tensor Index)
{
    public long Count => State.size(0);

    public Tensor Accepted => Counts.select(0, 0);

    public Tensor Rejected => Counts.select(0, 1);

    public Tensor Status => Counts.select(0, 2);

    public Tensor Worst => Counts.select(0, 3);

    /// <summary>Some of these examples, as tensors of their own.</summary>
    public OdeRows Of(Tensor rows) => new(State.index_select(0, rows), Slope.index_select(0, rows), Time.index_select(0, rows),
        Step.index_select(0, rows), Error.index_select(0, rows),
        Counts.index_select(1, rows), Index.index_select(0, rows));

    public IEnumerable<Tensor> Tensors => [State, Slope, Time, Step, Error, Counts, Index];
}
