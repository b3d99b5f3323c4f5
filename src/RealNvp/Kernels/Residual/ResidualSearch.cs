using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>What a search for roots did not find.</summary>
/// <param name="Missing">The examples without a root.</param>
/// <param name="Worst">The largest residual among them.</param>
/// <param name="Allowed">The largest that was allowed.</param>
internal readonly record struct ResidualMiss(long Missing, double Worst, double Allowed);

/// <summary>The x with x + g(x) = y for each row, by fixed-point steps with
/// Anderson acceleration: all steps of a block of rows within it.</summary>
/// <remarks>The search of <see cref="ResidualForward"/>'s network, row by row as in <c>FixedPoint</c>, which has the same steps in plain
/// operations: a row that has arrived leaves the block, so products are those of the rows that are left.</remarks>
internal static unsafe class ResidualSearch
{
    private const int History = 4;

    /// <summary>Searches; the weights of the call, whose X is y, are packed.</summary>
    /// <param name="call">The network, without tangents.</param>
    /// <param name="x">Gets the roots, (rows, D).</param>
    /// <param name="steps">The most steps.</param>
    /// <param name="least">The residual that is small enough for small numbers.</param>
    /// <param name="ulps">A residual that is small enough for large ones, as a part of the power of two below them.</param>
    /// <param name="ridge">The regularization of the acceleration.</param>
    public static ResidualMiss Run<T>(ResidualCall<T> call, T* x, int steps, double least, double ulps, double ridge)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var misses = new ResidualMiss[call.Blocks];
        // some steps are needed
        KernelThreads.For(call.Blocks, 3 * call.Work, ResidualCall<T>.Grain, (start, end) =>
            LaneWidth.Run<Code<T>, T>(new(call, x, steps, least, ulps, ridge, misses, (int)start, (int)end)));
        return misses.Aggregate((a, b) => new(a.Missing + b.Missing, Math.Max(a.Worst, b.Worst), Math.Max(a.Allowed, b.Allowed)));
    }

    private readonly struct Code<T>(ResidualCall<T> call, T* roots, int steps, double least, double ulps, double ridge,
        ResidualMiss[] misses, int start, int end) : ILaneCode<T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, T>
        {
            var (size, d, most) = (call.BufferSize, call.Program.Features, call.BlockRows);
            // per row: x, the best x and its residual, the last x and its residual; the steps between and what changed
            var width = (nint)d * (6 + (2 * History));
            var memory = (T*)KernelScratch.Own(((2 * size) + (most * width)) * sizeof(T) / sizeof(float));
            var states = memory + (2 * size);
            var places = stackalloc int[most];
            var norms = stackalloc double[most];
            var worse = stackalloc bool[most];
            for (var block = start; block < end; block++)
            {
                var first = block * most;
                var rows = Math.Min(most, call.Rows - first);
                for (var row = 0; row < rows; row++)
                {
                    places[row] = first + row;
                    new ReadOnlySpan<T>(call.X + ((nint)(first + row) * d), d).CopyTo(new Span<T>(states + (row * width), d));
                }
                for (var step = 0; rows > 0; step++)
                {
                    rows = Step<TLanes>(step, first, rows, places, states, width, norms, worse, memory, size, ref misses[block]);
                    if (step == steps) break;
                }
            }
        }

        // evaluates g at the rows that are left, lets those go that have arrived, and moves the others on; the number of these
        private int Step<TLanes>(int step, int first, int rows, int* places, T* states, nint width, double* norms, bool* worse, T* memory,
            long size, ref ResidualMiss miss) where TLanes : struct, ILanes<TLanes, T>
        {
            var d = call.Program.Features;
            nint stride = DenseProduct.Stride(d);
            var packed = states;
            // x of the rows side by side: the first matrix of the block reads them with a distance of D
            var values = memory + size;
            for (var k = 0; k < rows; k++)
                new ReadOnlySpan<T>(packed + ((places[k] - first) * width), d).CopyTo(new Span<T>(values + ((nint)k * d), d));
            ResidualForward.Begin(call, values, rows, memory);
            var g = ResidualForward.Block<TLanes, T>(call, first, places, rows, memory, memory + size, null);
            var bias = call.Biases[^1];
            var left = 0;
            for (var k = 0; k < rows; k++)
            {
                var row = places[k] - first;
                var state = states + (row * width);
                var y = call.X + ((nint)places[k] * d);
                T* x = state, best = state + d, bestResidual = state + (2 * d), lastX = state + (3 * d), last = state + (4 * d);
                T* residual = state + (5 * d), moves = state + (6 * d), changes = moves + (History * d);
                double norm = 0, error = 0, largest = 0;
                for (var i = 0; i < d; i++)
                {
                    residual[i] = y[i] - x[i] - (g[(k * stride) + i] + bias[i]);
                    var r = double.CreateTruncating(residual[i]);
                    norm += r * r;
                    // NaN stays
                    error = Larger(error, Math.Abs(r));
                    largest = Larger(largest, Math.Max(Math.Abs(double.CreateTruncating(y[i])), Math.Abs(double.CreateTruncating(x[i]))));
                }
                if (step == 0) worse[row] = false;
                else
                {
                    var slot = (nint)((step - 1) % History) * d;
                    for (var i = 0; i < d; i++)
                    {
                        moves[slot + i] = x[i] - lastX[i];
                        changes[slot + i] = residual[i] - last[i];
                    }
                    worse[row] = !(norm < norms[row]);
                }
                if (!worse[row])
                {
                    new ReadOnlySpan<T>(x, d).CopyTo(new Span<T>(best, d));
                    new ReadOnlySpan<T>(residual, d).CopyTo(new Span<T>(bestResidual, d));
                    norms[row] = norm;
                }
                new ReadOnlySpan<T>(x, d).CopyTo(new Span<T>(lastX, d));
                new ReadOnlySpan<T>(residual, d).CopyTo(new Span<T>(last, d));
                var allowed = Allowed(largest);
                if (error <= allowed)
                {
                    new ReadOnlySpan<T>(x, d).CopyTo(new Span<T>(roots + ((nint)places[k] * d), d));
                    continue;
                }
                if (step == steps)
                    miss = new(miss.Missing + 1, Math.Max(miss.Worst, double.IsNaN(error) ? double.PositiveInfinity : error),
                        Math.Max(miss.Allowed, double.IsNaN(allowed) ? least : allowed));
                else Move(x, best, bestResidual, moves, changes, Math.Min(step, History), worse[row]);
                places[left++] = places[k];
            }
            return left;
        }

        // to the best x and its residual, less what the changes of earlier steps foretell; after a step that was worse, a plain one
        private void Move(T* x, T* best, T* residual, T* moves, T* changes, int filled, bool plain)
        {
            var d = call.Program.Features;
            for (var i = 0; i < d; i++) x[i] = best[i] + residual[i];
            if (filled == 0 || plain) return;
            double* gram = stackalloc double[History * History], right = stackalloc double[History], gamma = stackalloc double[History];
            for (var a = 0; a < filled; a++)
            {
                for (var b = 0; b <= a; b++)
                    gram[(a * filled) + b] = gram[(b * filled) + a] = Product(changes + (a * d), changes + (b * d), d);
                right[a] = Product(changes + (a * d), residual, d);
            }
            RidgeSystems.Solve(gram, right, gamma, 1, filled, ridge);
            for (var i = 0; i < d; i++)
            {
                var sum = 0.0;
                for (var a = 0; a < filled; a++)
                    sum += gamma[a] * (double.CreateTruncating(moves[(a * d) + i]) + double.CreateTruncating(changes[(a * d) + i]));
                x[i] -= T.CreateTruncating(sum);
            }
        }

        private static double Product(T* a, T* b, int d)
        {
            var sum = 0.0;
            for (var i = 0; i < d; i++) sum += double.CreateTruncating(a[i]) * double.CreateTruncating(b[i]);
            return sum;
        }

        private double Allowed(double largest) => largest == 0 ? least
            : double.IsFinite(largest) ? Math.Max(least, ulps * Math.ScaleB(1, Math.ILogB(largest))) : largest;

        private static double Larger(double a, double b) => a > b ? a : double.IsNaN(a) ? a : b;
    }
}
