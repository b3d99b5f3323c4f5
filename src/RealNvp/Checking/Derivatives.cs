using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Checking;

/// <summary>Derivatives of a map in two independent ways: central differences
/// whose step is chosen by error control, and autograd.</summary>
internal static class Derivatives
{
    /// <summary>Elements of one batch of copies of an example: bounds the memory.</summary>
    private const long BatchElements = 1 << 15;

    private const double Rounding = 2.2e-16;

    // a kink within the step moves the fourth order by several times what it moves the difference to the second
    private const double Safety = 8;

    // the rounding of the smallest steps, over the target
    private const double Looser = 300;

    // powers of two, so that x ± h and x ± 2h are exact. The first suits a smooth map in float64; smaller ones find their way
    // between the kinks of ReLU networks, larger ones rise above rounding noise
    private static readonly int[] exponents = [-17, -20, -14, -23, -11, -26];

    /// <summary>
    /// log|det| of a square Jacobian by central differences of fourth order, and an estimate of its error: the difference to the second
    /// order from the same values, and rounding. Steps are tried until the
    /// estimate is below <paramref name="target"/>; the best one counts.
    /// </summary>
    /// <param name="map">(n, ...) to (n, ...), without gradients, in float64.</param>
    /// <param name="example">One example, without batch dimension.</param>
    /// <param name="most">The largest batch: 1 if the place in the batch matters, as for noise from a seed.</param>
    /// <param name="found">What is to be confirmed: at a wrong value all steps are tried.</param>
    /// <param name="target">An error that is small enough.</param>
    public static (double LogDet, double Error) NumericalLogDet(Func<Tensor, Tensor> map, Tensor example, long most, double found,
        double target)
    {
        return Choose(exponents.Select(exponent =>
        {
            using var scope = NewDisposeScope();
            var (fourth, second, noise) = Jacobians(map, example, most, exponent);
            var logDet = LogAbsDet(fourth);
            // a singular matrix has no error to speak of
            return double.IsFinite(logDet) ? (logDet, (Safety * Math.Abs(logDet - LogAbsDet(second))) + Moves(fourth, noise))
                : (logDet, double.PositiveInfinity);
        }), found, target);
    }

    /// <summary>∂z_i/∂x_j as (D, D), by backward passes over copies of the example, copy i asking for row i.</summary>
    public static Tensor Jacobian(Func<Tensor, Tensor> map, Tensor example, long most)
    {
        using var scope = NewDisposeScope();
        var n = example.numel();
        var chunk = Math.Min(most, Math.Clamp(BatchElements / n, 1, n));
        var rows = new List<Tensor>();
        for (long start = 0; start < n; start += chunk)
        {
            var count = Math.Min(chunk, n - start);
            var copies = example.unsqueeze(0).expand([count, .. example.shape]).clone().requires_grad_(true);
            var value = map(copies).flatten(1);
            if (value.requires_grad) value.diagonal(start).sum().backward();
            rows.Add(copies.grad is { } gradient ? gradient.flatten(1) : zeros_like(copies).flatten(1));
        }
        return scope.MoveToOuter(cat(rows).detach());
    }

    /// <summary>The derivative of f(t) at 0 by central differences of fourth order, and an estimate of its error.</summary>
    /// <param name="f">A function of a number, such as a loss along a direction.</param>
    /// <param name="magnitude">What the function adds up: its rounding error is ε times this.</param>
    /// <param name="found">What is to be confirmed: at a wrong value all steps are tried.</param>
    /// <param name="target">An error that is small enough.</param>
    public static (double Value, double Error) Directional(Func<double, double> f, double magnitude, double found, double target)
    {
        return Choose(exponents.Select(exponent =>
        {
            var h = Math.ScaleB(1, exponent);
            var (near, far) = ((f(h) - f(-h)) / (2 * h), (f(2 * h) - f(-2 * h)) / (4 * h));
            var value = ((4 * near) - far) / 3;
            return (value, (Safety * Math.Abs(value - near)) + (magnitude * Rounding / h));
        }), found, target);
    }

    /// <summary>
    /// Takes steps until the estimate is below the target and agrees with what was found. A kink very close to the point hides from the
    /// estimate: where an estimate that seemed good disagrees, a step that agrees may be less exact. A wrong formula agrees with none.
    /// Otherwise the most exact step counts.
    /// </summary>
    private static (double Value, double Error) Choose(IEnumerable<(double Value, double Error)> steps, double found, double target)
    {
        var best = (Value: double.NaN, Error: double.PositiveInfinity);
        var exact = true;
        foreach (var step in steps)
        {
            var agrees = Math.Abs(step.Value - found) <= Math.Max(2 * target, step.Error);
            if (agrees && step.Error <= (exact ? target : Looser * target)) return step;
            if (step.Error <= target) exact = false;
            if (step.Error < best.Error || (double.IsNaN(best.Value) && !double.IsNaN(step.Value))) best = step;
        }
        return best;
    }

    /// <summary>log|det| in float64; minus infinity if the matrix is singular.</summary>
    public static double LogAbsDet(Tensor jacobian)
    {
        using var scope = NewDisposeScope();
        var (_, logDet) = linalg.slogdet(jacobian.to(float64));
        return logDet.Fetch<double>();
    }

    /// <summary>How much relative errors of 1 in a regular matrix's entries move its log|det|: Σ |J⁻¹|ᵀ ⊙ |J|.</summary>
    public static double LogDetCondition(Tensor jacobian)
    {
        using var scope = NewDisposeScope();
        return linalg.inv(jacobian.to(float64)).abs().t().mul(jacobian.abs()).sum().Fetch<double>();
    }

    /// <summary>How much independent errors e in a regular matrix's entries move its log|det|: the root of Σ (J⁻¹ᵀ ⊙ e)².</summary>
    private static double Moves(Tensor jacobian, Tensor errors)
    {
        using var scope = NewDisposeScope();
        return linalg.inv(jacobian).t().mul(errors).pow(Scalars.Two).sum().sqrt().Fetch<double>();
    }

    private static (Tensor Fourth, Tensor Second, Tensor Noise) Jacobians(Func<Tensor, Tensor> map, Tensor example, long most, int exponent)
    {
        var n = example.numel();
        var flat = example.flatten();
        // a larger value has coarser neighbours: the step follows it, in whole powers of two
        var steps = flat.abs().clamp(Scalars.Of(1)).log2().floor().exp2().mul(Scalars.Of(Math.ScaleB(1, exponent)));
        var chunk = Math.Min(most, Math.Clamp(BatchElements / n, 1, n));
        List<Tensor> fourth = [], second = [];
        Tensor? largest = null;
        for (long start = 0; start < n; start += chunk)
        {
            var count = Math.Min(chunk, n - start);
            var own = steps.narrow(0, start, count);
            var shifts = zeros(count, n, dtype: float64, device: example.device);
            shifts.diagonal(start).copy_(own);
            Tensor At(double factor) =>
                map(flat.add(shifts.mul(Scalars.Of(factor)), Scalars.One).reshape([count, .. example.shape])).flatten(1);
            var above = At(1);
            largest = largest is null ? above.abs().amax([0L]) : largest.maximum(above.abs().amax([0L]));
            var near = above.sub(At(-1)).div(own.mul(Scalars.Of(2)).unsqueeze(1));
            var far = At(2).sub(At(-2)).div(own.mul(Scalars.Of(4)).unsqueeze(1));
            fourth.Add(near.mul(Scalars.Of(4)).sub(far).div(Scalars.Of(3)));
            second.Add(near);
        }
        // row j of these matrices is ∂z/∂x_j. A value z_i is known to ε times itself, or times the terms that it sums
        var derivatives = cat(fourth);
        var terms = derivatives.abs().mul(flat.abs().unsqueeze(1)).sum(0, keepdim: false,
            type: float64).maximum(largest!).clamp(Scalars.Of(1e-3));
        return (derivatives, cat(second), terms.unsqueeze(0).div(steps.unsqueeze(1)).mul(Scalars.Of(Rounding)));
    }
}
