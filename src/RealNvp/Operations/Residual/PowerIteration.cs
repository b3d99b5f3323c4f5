using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>A linear map of rows of vectors and its transpose, and its matrix if it is at hand.</summary>
/// <param name="Times">(N, inputs) to (N, outputs).</param>
/// <param name="TimesTransposed">(N, outputs) to (N, inputs).</param>
/// <param name="Matrix">(outputs, inputs), or null.</param>
internal sealed record LinearOperator(Func<Tensor, Tensor> Times, Func<Tensor, Tensor> TimesTransposed, Tensor? Matrix);

/// <summary>The largest singular value of a linear map, by its singular vectors.</summary>
/// <remarks>
/// With v = Wᵀu/|Wᵀu| and σ = |Wv|, the residual |Wv − |Wᵀu|·u| of the pair is σ·√(1 − (|Wᵀu|/σ)²): two norms say how far a pair is from a
/// singular one. A small residual means that σ is within it of a singular value, also if several of the largest are nearly equal.
/// </remarks>
internal static class PowerIteration
{
    // of the side of a matrix whose square is squared again and again: 2¹⁴ steps of power iteration for 14 products
    private const long MostSquared = 384;
    private const int Squarings = 14, MostSteps = 2000, FirstSteps = 40, LastSteps = 10;
    private const double Digits = 1e-7, Least = 1e-30;

    /// <summary>
    /// Steps from a pair (outputs), (inputs) until the residual is at most so large, relative to
    /// the singular value; null takes all steps, and no look at numbers, for which a device would wait.
    /// </summary>
    /// <remarks>A left vector that is near enough stays as it is. Who steps goes on to half of the residual.</remarks>
    public static (Tensor Left, Tensor Right, bool Arrived, bool WasFar) Run(LinearOperator map, Tensor left, Tensor right, int steps,
        double? residual)
    {
        using var scope = NewDisposeScope();
        var enough = residual is { } first ? SpectralKernel.Enough(first) : 0;
        var wasFar = false;
        left = Unit(left, left);
        for (var i = 0; i < steps; i++)
        {
            using var step = NewDisposeScope();
            var down = map.TimesTransposed(left.unsqueeze(0)).squeeze(0);
            var lower = down.norm();
            var nextRight = Unit(down, right, lower);
            var up = map.Times(nextRight.unsqueeze(0)).squeeze(0);
            var upper = up.norm();
            if (residual is { } least)
            {
                var (a, b) = (lower.FetchDouble(), upper.FetchDouble());
                if (i == 0) wasFar = a < SpectralKernel.Enough(SpectralKernel.Far) * b;
                // a map of zeros has arrived; NaN never does
                if (a >= enough * b) return (scope.MoveToOuter(left), scope.MoveToOuter(step.MoveToOuter(nextRight)), true, wasFar);
                if (i == 0) enough = SpectralKernel.Enough(least * SpectralKernel.Further);
            }
            (left, right) = (step.MoveToOuter(Unit(up, left, upper)), step.MoveToOuter(nextRight));
        }
        return (scope.MoveToOuter(left), scope.MoveToOuter(right), false, wasFar);
    }

    /// <summary>The singular value that one step gives, with its vectors and a graph, from Wᵀu: with v = Wᵀu/|Wᵀu|, it is |Wv|.</summary>
    /// <param name="down">Wᵀu, (inputs).</param>
    /// <param name="times">Takes v (inputs) to Wv (outputs).</param>
    /// <returns>Of W of zeros, v is 0, and gradients are finite.</returns>
    public static (Tensor Upper, Tensor Up, Tensor Right) Value(Tensor down, Func<Tensor, Tensor> times)
    {
        var right = down.div(down.norm().clamp_min(Scalars.Of(Least)));
        var up = times(right);
        return (up.norm(), up, right);
    }

    /// <summary>Whether <see cref="Converge"/> is cheap, whatever the singular values are.</summary>
    public static bool IsSmall(Tensor left, Tensor right) => Math.Min(left.size(0), right.size(0)) <= MostSquared;

    /// <summary>The pair to all digits, from one that may be near. In float64.
    /// On a device it takes a number of steps, and looks at nothing.</summary>
    public static (Tensor Left, Tensor Right) Converge(LinearOperator map, Tensor left, Tensor right)
    {
        using var scope = NewDisposeScope();
        if (left.device_type != DeviceType.CPU)
        {
            var (l, r, _, _) = Run(map, left, right, FirstSteps, null);
            return (scope.MoveToOuter(l), scope.MoveToOuter(r));
        }
        var small = IsSmall(left, right);
        var (first, second, arrived, _) = Run(map, left, right, small ? FirstSteps : MostSteps, Digits);
        if (!arrived && small && Squared(map, left, right) is { } start)
            (first, second, _, _) = Run(map, start, right, LastSteps, Digits);
        return (scope.MoveToOuter(first), scope.MoveToOuter(second));
    }

    // the left vector from the powers of W·Wᵀ or Wᵀ·W, whichever is smaller; null if the map is not finite or 0
    private static Tensor? Squared(LinearOperator map, Tensor left, Tensor right)
    {
        var ofOutputs = left.size(0) <= right.size(0);
        // rows W x of all unit vectors x, or rows Wᵀ y
        var rows = map.Matrix is { } matrix ? (ofOutputs ? matrix : matrix.t()) : ofOutputs
            ? map.TimesTransposed(eye(left.size(0), dtype: left.dtype, device: left.device))
            : map.Times(eye(right.size(0), dtype: right.dtype, device: right.device));
        var power = rows.mm(rows.t());
        for (var i = 0; i < Squarings; i++)
        {
            var largest = power.abs().max();
            if (!(largest.FetchDouble() is > 0 and < double.PositiveInfinity)) return null;
            power = power.div(largest);
            power = power.mm(power);
        }
        // every column is the same vector; the longest has the most digits
        var vector = power.index_select(0, power.diagonal().argmax().reshape(1)).squeeze(0);
        return ofOutputs ? vector : map.Times(vector.unsqueeze(0)).squeeze(0);
    }

    /// <summary>A vector of length 1, or another one if it is 0.</summary>
    public static Tensor Unit(Tensor vector, Tensor other, Tensor? norm = null)
    {
        norm ??= vector.norm();
        // where a map gives 0 there is no direction, and the one before stays
        return vector.div(norm).where(norm.gt(Scalars.Zero), other);
    }
}
