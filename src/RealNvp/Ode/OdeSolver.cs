using RealNvp.Internal;
using RealNvp.Ode;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Solves ordinary differential equations dy/dt = f(t, y) for a batch of examples, each with a
/// step size of its own, on any device, in float32 or float64, forwards or backwards in time.
/// </summary>
/// <remarks>
/// <para>The accepted steps of an example do not depend on the examples beside it. Those that are done leave the batch, so f is called
/// with the n ≤ N that are not: t (n) and y (n, ...), and what an example has of its own beside y goes in as a context.</para>
/// <para>Methods and options: <see cref="OdeOptions"/>. Gradients: <see cref="OdeGradient"/>.
/// Every method is explicit: stiff equations end in an <see cref="OdeException"/>.</para>
/// <para>Thread safety: several threads may solve at once, if f allows it.</para>
/// </remarks>
public static class OdeSolver
{
    /// <summary>Solves from t0 to t1.</summary>
    /// <param name="f">dy/dt from t (n), in the dtype of y, and y (n, ...). It disposes neither.</param>
    /// <param name="y0">y at t0, (N, ...), float32 or float64.</param>
    /// <param name="t0">The first time, finite.</param>
    /// <param name="t1">The last time, finite; it may be less than t0.</param>
    /// <param name="options">How to solve; null is dopri5 with tolerances of 1e-6.</param>
    /// <param name="parameters">What f depends on and wants gradients of. Null:
    /// unknown, and gradients are found by <see cref="OdeGradient.Graph"/>.</param>
    /// <returns>y at t1, (N, ...), and what it took. The caller disposes it.</returns>
    /// <exception cref="ArgumentException">An argument does not fit; the message says what was expected.</exception>
    /// <exception cref="OdeException">The dynamics are stiff, grow without bound or are not finite.</exception>
    public static OdeSolution Solve(Func<Tensor, Tensor, Tensor> f, Tensor y0, double t0, double t1, OdeOptions? options = null,
        IEnumerable<Tensor>? parameters = null)
    {
        ArgumentNullException.ThrowIfNull(f);
        return Solve((t, y, _) => f(t, y), y0, null, t0, t1, options, parameters);
    }

    /// <summary>Solves from t0 to t1, with a context for each example.</summary>
    /// <param name="f">dy/dt from t (n), y (n, ...) and the context of these examples (n, ...).</param>
    /// <param name="y0">y at t0, (N, ...), float32 or float64.</param>
    /// <param name="context">(N, ...), one for each example; null for none.</param>
    /// <param name="t0">The first time, finite.</param>
    /// <param name="t1">The last time, finite; it may be less than t0.</param>
    /// <param name="options">How to solve; null is dopri5 with tolerances of 1e-6.</param>
    /// <param name="parameters">What f depends on and wants gradients of, beside y0 and the
    /// context. Null: unknown, and gradients are found by <see cref="OdeGradient.Graph"/>.</param>
    /// <returns>y at t1, (N, ...), and what it took. The caller disposes it.</returns>
    /// <exception cref="ArgumentException">An argument does not fit; the message says what was expected.</exception>
    /// <exception cref="OdeException">The dynamics are stiff, grow without bound or are not finite.</exception>
    public static OdeSolution Solve(Func<Tensor, Tensor, Tensor?, Tensor> f, Tensor y0, Tensor? context, double t0, double t1,
        OdeOptions? options = null, IEnumerable<Tensor>? parameters = null) =>
        Run(f, y0, context, [t0, t1], options, parameters);

    /// <summary>Solves with a module as f, whose parameters are those that gradients are wanted of.</summary>
    /// <param name="module">dy/dt from t (n) and y (n, ...).</param>
    /// <param name="y0">y at t0, (N, ...), with the dtype and on the device of the module.</param>
    /// <param name="t0">The first time, finite.</param>
    /// <param name="t1">The last time, finite; it may be less than t0.</param>
    /// <param name="options">How to solve; null is dopri5 with tolerances of 1e-6.</param>
    /// <returns>y at t1, (N, ...), and what it took. The caller disposes it.</returns>
    /// <exception cref="ArgumentException">An argument does not fit; the message says what was expected.</exception>
    /// <exception cref="OdeException">The dynamics are stiff, grow without bound or are not finite.</exception>
    public static OdeSolution Solve(nn.Module<Tensor, Tensor, Tensor> module, Tensor y0, double t0, double t1, OdeOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(module);
        ModuleLife.Alive(module, nameof(module), nameof(OdeSolver));
        return Run((t, y, _) => module.call(t, y), y0, null, [t0, t1], options, module.parameters());
    }

    /// <summary>Solves, and gives y at several times: between steps from the
    /// dense output of the method, which is as exact as its steps.</summary>
    /// <param name="f">dy/dt from t (n) and y (n, ...).</param>
    /// <param name="y0">y at the first time, (N, ...), float32 or float64.</param>
    /// <param name="times">The times (T), at least two, each later than the one before, or each earlier.</param>
    /// <param name="options">How to solve; null is dopri5 with tolerances of 1e-6.</param>
    /// <param name="parameters">What f depends on and wants gradients of. Null: unknown. With gradients, steps end at these times.</param>
    /// <returns>y at all times (T, N, ...), the first of which is y0, and what it took. The caller disposes it.</returns>
    /// <exception cref="ArgumentException">An argument does not fit; the message says what was expected.</exception>
    /// <exception cref="OdeException">The dynamics are stiff, grow without bound or are not finite.</exception>
    public static OdeSolution Solve(Func<Tensor, Tensor, Tensor> f, Tensor y0, IReadOnlyList<double> times, OdeOptions? options = null,
        IEnumerable<Tensor>? parameters = null)
    {
        ArgumentNullException.ThrowIfNull(f);
        ArgumentNullException.ThrowIfNull(times);
        if (times.Count < 2)
            throw new ArgumentException($"times has {times.Count} times; give at least two, the first and the last.", nameof(times));
        for (var i = 1; i < times.Count; i++)
            if (!((times[i] - times[i - 1]) * (times[1] - times[0]) > 0))
                throw new ArgumentException(FormattableString.Invariant(
                    $"times must all rise or all fall; times[{i - 1}] is {times[i - 1]:R} and times[{i}] is {times[i]:R}."), nameof(times));
        return Run((t, y, _) => f(t, y), y0, null, times, options, parameters, all: true);
    }

    private static OdeSolution Run(Func<Tensor, Tensor, Tensor?, Tensor> f, Tensor y0, Tensor? context, IReadOnlyList<double> times,
        OdeOptions? options, IEnumerable<Tensor>? parameters, bool all = false)
    {
        ArgumentNullException.ThrowIfNull(f);
        const string owner = $"{nameof(OdeSolver)}.{nameof(Solve)}";
        Check.Batch(y0, nameof(y0), owner, null);
        Check.Like(y0, nameof(y0), owner, null);
        foreach (var time in times)
            if (!double.IsFinite(time)) throw new ArgumentOutOfRangeException(nameof(times), time, "Times must be finite.");
        if (context is not null && (context.dim() == 0 || context.shape[0] != y0.shape[0]))
            throw new ArgumentException(
                $"{owner} expects a context (N, ...) with one row for each of the {y0.shape[0]} examples; got " +
                $"{EventShape.Format(context.shape)}.", nameof(context));
        options ??= new();
        var shape = y0.shape[1..];
        var components = shape.Aggregate(1L, (a, b) => a * b);
        options.Validate(components);
        using var scope = NewDisposeScope();
        // a number for an example is a vector of one
        var system = new OdeFunctionSystem(f, shape, parameters?.ToArray());
        var start = y0.reshape(y0.shape[0], components).contiguous();
        var (value, statistics) = OdeRun.Solve(system, start, context is null ? []
            : [context], new OdePlan(options, times, components, y0.dtype), all);
        return new(scope.MoveToOuter(value.reshape(all ? [times.Count, .. y0.shape] : y0.shape)), statistics);
    }
}
