using RealNvp.Internal;
using RealNvp.Kernels;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The x with x + g(x) = y for each example, by fixed-point steps with
/// Anderson acceleration (Walker and Ni 2011), without gradients.</summary>
/// <remarks>
/// <para>The residual y − x − g(x) of an x is known from the step to the next one, so what ends the search is the true
/// residual of the x that is given back. A step that was accelerated and did not make the residual smaller is followed
/// by a plain one from the best x so far, which makes it smaller by the Lipschitz constant at least.</para>
/// <para>Examples do not know of each other: each has its own history, and leaves the batch when it has arrived.</para>
/// </remarks>
internal static class FixedPoint
{
    private const int History = 4;
    private const double Single = 1e-6, Double = 1e-12, Ulps = 4;

    /// <summary>The roots, of the shape of y.</summary>
    /// <param name="g">(N, ...) and (N, C) to (N, ...); for any number of examples.</param>
    /// <param name="y">(N, ...).</param>
    /// <param name="context">(N, C), or null.</param>
    /// <param name="lipschitz">The bound of g.</param>
    /// <param name="owner">The layer, for the error.</param>
    /// <exception cref="NoInverseException">An example has not arrived: its residual is in the message.</exception>
    public static Tensor Solve(Func<Tensor, Tensor?, Tensor> g, Tensor y, Tensor? context, double lipschitz, string owner)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var steps = Steps(lipschitz);
        var result = empty_like(y).flatten(1);
        var search = new Search(y, context);
        var all = false;
        for (var i = 0; i <= steps && !all; i++)
        {
            using var step = NewDisposeScope();
            search.Step(g(search.Shaped, search.Context));
            all = (i == steps || RootSearch.Asks(i, y)) && search.Leave(result);
            if (!all && i < steps) search.Move();
            search.Keep(step);
        }
        if (all) return scope.MoveToOuter(result.reshape(y.shape));
        throw Missed(new(search.Count, search.Worst(), search.Allowed()), y.shape[0], lipschitz, owner);
    }

    /// <summary>The roots by one operation; null if it cannot run.</summary>
    /// <inheritdoc cref="Solve"/>
    public static Tensor? TrySolve(IResidualNetwork g, Tensor y, Tensor? context, double lipschitz, string owner)
    {
        var least = y.dtype == ScalarType.Float32 ? Single : Double;
        if (g.TrySearch(y, context, Steps(lipschitz), least, Ulps, isStep: true) is not { } found) return null;
        return found.Miss.Missing == 0 ? found.X : throw Missed(found.Miss, y.shape[0], lipschitz, owner);
    }

    private static int Steps(double lipschitz) => (int)Math.Min(20_000, 100 + Math.Ceiling(40 / (1 - lipschitz)));

    private static NoInverseException Missed(ResidualMiss miss, long count, double lipschitz, string owner) =>
        new(string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $"{owner}.Inverse found no x with x + g(x) = y for {miss.Missing} of {count} example(s): after {Steps(lipschitz)} steps the " +
            $"largest residual |x + g(x) − y| is {miss.Worst:G3}, of {miss.Allowed:G3} allowed. The Lipschitz constant of the network " +
            $"may be above {lipschitz:G4}, or values may be NaN, infinite or near the largest number of their dtype."));

    /// <summary>What a residual may be, (N, 1): 1e-6 in float32, 1e-12 in float64, or
    /// four units in the last place of the largest number that it is made of.</summary>
    /// <param name="largest">The largest |y| and |x| of each example, (N, 1).</param>
    public static Tensor Tolerance(Tensor largest)
    {
        var (epsilon, least) = largest.dtype == ScalarType.Float32 ? (Math.ScaleB(1, -23), Single) : (Math.ScaleB(1, -52), Double);
        return largest.log2().floor().exp2().mul(Scalars.Of(Ulps * epsilon)).clamp_min(Scalars.Of(least));
    }

    private sealed class Search
    {
        private readonly long[] shape;
        private readonly List<Tensor> kept = [];
        private Tensor y, x, rows;
        private Tensor? residual, best, bestResidual, bestNorm, worse, lastX, lastResidual, moves, changes;
        private int slot, filled;

        public Search(Tensor target, Tensor? context)
        {
            shape = target.shape[1..];
            y = target.flatten(1);
            (x, Context) = (y, context);
            rows = Scalars.Range(y.shape[0], y.device);
        }

        public Tensor? Context { get; private set; }

        public long Count => y.shape[0];

        public Tensor Shaped => x.reshape([x.shape[0], .. shape]);

        public void Step(Tensor g)
        {
            residual = y.sub(x).sub(g.flatten(1));
            var norm = residual.pow(Scalars.Two).sum([1L], keepdim: true);
            if (best is null) (best, bestResidual, bestNorm, worse) = (x, residual, norm, zeros_like(norm, dtype: ScalarType.Bool));
            else
            {
                Remember();
                // NaN is worse
                worse = norm.lt(bestNorm!).logical_not();
                (best, bestResidual, bestNorm) = (best.where(worse, x), bestResidual!.where(worse, residual), bestNorm!.where(worse, norm));
            }
            (lastX, lastResidual) = (x, residual);
        }

        /// <summary>Takes the examples that have arrived out of the search; true if none is left.</summary>
        public bool Leave(Tensor result)
        {
            if (Count == 0) return true;
            var arrived = Error().le(Limit()).squeeze(1);
            var number = arrived.sum(ScalarType.Int64).FetchInt64();
            if (number == 0) return false;
            if (number == Count)
            {
                result.index_copy_(0, rows, x);
                return true;
            }
            var (done, left) = (arrived.nonzero().squeeze(1), arrived.logical_not().nonzero().squeeze(1));
            result.index_copy_(0, rows.index_select(0, done), x.index_select(0, done));
            Tensor Some(Tensor all) => all.index_select(0, left);
            (y, x, rows, residual, best, bestResidual, bestNorm, worse) = (Some(y), Some(x), Some(rows), Some(residual!), Some(best!),
                Some(bestResidual!), Some(bestNorm!), Some(worse!));
            (lastX, lastResidual) = (Some(lastX!), Some(lastResidual!));
            if (moves is not null) (moves, changes) = (Some(moves), Some(changes!));
            Context = Context is null ? null : Some(Context);
            return false;
        }

        /// <summary>Goes to the next x: the best one and its residual, less what the changes of earlier steps foretell.</summary>
        public void Move()
        {
            x = best!.add(bestResidual!, Scalars.One);
            if (filled == 0) return;
            var (h, s) = (changes!.narrow(1, 0, filled), moves!.narrow(1, 0, filled));
            var gamma = RidgeSolve.Run(h.bmm(h.transpose(1, 2)), h.bmm(bestResidual!.unsqueeze(2)).squeeze(2), x.dtype == ScalarType.Float32
                ? 1e-6 : 1e-12);
            // after a step that was worse, a plain one
            gamma = gamma.masked_fill(worse!, Scalars.Zero);
            x = x.sub(gamma.unsqueeze(1).bmm(s.add(h, Scalars.One)).squeeze(1));
        }

        /// <summary>Keeps what the next step needs when the scope of this one ends, and frees what steps before it needed.</summary>
        public void Keep(DisposeScope step)
        {
            var needed = new HashSet<Tensor?>([y, x, rows, residual, best, bestResidual, bestNorm, worse, lastX, lastResidual, moves,
                changes, Context], ReferenceEqualityComparer.Instance);
            foreach (var tensor in kept)
                if (!needed.Contains(tensor)) tensor.Dispose();
            kept.RemoveAll(t => !needed.Contains(t));
            foreach (var tensor in needed)
                if (tensor is not null && step.Contains(tensor)) kept.Add(step.MoveToOuter(tensor));
        }

        public double Worst() => Error().nan_to_num(double.PositiveInfinity).max().to(ScalarType.Float64).Fetch<double>();

        public double Allowed() => Limit().max().to(ScalarType.Float64).Fetch<double>();

        private Tensor Error() => residual!.abs().amax([1L], keepdim: true);

        private Tensor Limit() => Tolerance(y.abs().amax([1L], keepdim: true).maximum(x.abs().amax([1L], keepdim: true)));

        private void Remember()
        {
            var (move, change) = (x.sub(lastX!).unsqueeze(1), residual!.sub(lastResidual!).unsqueeze(1));
            if (moves is null)
            {
                moves = zeros([Count, History, y.shape[1]], dtype: y.dtype, device: y.device);
                changes = zeros_like(moves);
            }
            moves.narrow(1, slot, 1).copy_(move);
            // the residual is falling: its change is that of the step with the other sign
            changes!.narrow(1, slot, 1).copy_(change);
            slot = (slot + 1) % History;
            filled = Math.Max(filled, slot == 0 ? History : slot);
        }
    }
}
