using RealNvp.Internal;
using RealNvp.Kernels;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Ode;

/// <summary>
/// Solves for a batch in which each example has a time and a step of its own. The examples take their steps
/// together, and leave the batch when they are done, so the steps of an example are those that it would take alone.
/// </summary>
internal sealed class OdeLoop(OdePlan plan, OdeStepper stepper)
{
    // on a device, looking who is done waits for it, so it is done now and then; an example that is done meanwhile stays where it is
    private const int LooksOnDevice = 4;

    private readonly List<Tensor> given = [];
    private long[] accepted = [], rejected = [];
    private OdeRows rows = null!;
    private Tensor? values;
    private Tensor result = null!;

    /// <summary>Hears of each step after it was tried: the rows before it, the attempt, and who took it.</summary>
    public Action<OdeRows, OdeAttempt, Tensor>? Observer { get; init; }

    public OdeStatistics Statistics => new(stepper.Evaluations, accepted, rejected);

    /// <summary>y at the end (N, M), or at all times (T, N, M). Runs in the caller's dispose scope, without gradients.</summary>
    /// <param name="start">y at the first time (N, M), contiguous.</param>
    /// <param name="perExample">What each example has beside it, (N, ...).</param>
    public Tensor Run(Tensor start, IReadOnlyList<Tensor> perExample)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var n = start.size(0);
        (accepted, rejected) = (new long[n], new long[n]);
        result = start.detach().clone();
        if (plan.IsDense) values = start.detach().unsqueeze(0).expand(plan.Times.Count, -1, -1).clone();
        if (n > 0 && plan.Control.Start != plan.Control.End) Solve(perExample);
        if (values is null) return scope.MoveToOuter(result);
        values[plan.Times.Count - 1].copy_(result);
        return scope.MoveToOuter(values);
    }

    private void Solve(IReadOnlyList<Tensor> perExample)
    {
        Begin(perExample);
        var every = rows.State.device_type == DeviceType.CPU ? 1 : LooksOnDevice;
        for (var step = 1L; rows.Count > 0; step++)
        {
            using (NewDisposeScope()) Step();
            if (step % every == 0) Look();
        }
    }

    private void Begin(IReadOnlyList<Tensor> perExample)
    {
        var (n, device) = (result.size(0), result.device);
        given.AddRange(perExample.Select(g => g.detach()));
        var time = empty(n, dtype: float64, device: device);
        using (var first = Scalars.New(plan.Control.Start)) time.fill_(first);
        rows = new(result.clone(), stepper.CarriesSlope ? empty_like(result, requires_grad: false)
            : zeros([n, 0], dtype: result.dtype, device: device), time, zeros_like(time), ones_like(time),
            zeros([4, n], dtype: int64, device: device), Scalars.Range(n, device));
        using (NewDisposeScope())
        {
            if (stepper.CarriesSlope || plan.Control.IsAdaptive)
            {
                var (view, slope) = stepper.FirstSlope(rows, given);
                if (stepper.CarriesSlope) rows.Slope.copy_(slope);
                stepper.Begin(view, slope, given);
            }
            else stepper.Begin(rows, rows.State, given);
        }
        Look();
    }

    private void Step()
    {
        var before = plan.IsDense || Observer is not null
            ? rows with { State = rows.State.clone(), Slope = rows.Slope.clone(), Time = rows.Time.clone(), Step = rows.Step.clone() }
            : rows;
        var attempt = stepper.Try(before, given);
        var taken = stepper.Take(rows, attempt, plan.IsDense || Observer is not null);
        if (taken is null) return;
        if (plan.IsDense) Report(before, attempt, taken);
        Observer?.Invoke(before, attempt, taken);
    }

    // who is done leaves, and who has failed is named
    private void Look()
    {
        if (OdeStep.AllActive(rows) == true) return;
        using var scope = NewDisposeScope();
        var n = (int)rows.Count;
        var counts = rows.Counts.FetchInt64s();
        List<long> stay = [], leave = [];
        for (var row = 0; row < n; row++)
        {
            var status = counts[(2 * n) + row];
            if (status is not (OdeControl.Active or OdeControl.Done)) throw Failure(row, status, counts[(3 * n) + row]);
            (status == OdeControl.Active ? stay : leave).Add(row);
        }
        if (leave.Count == 0) return;
        var index = rows.Index.FetchInt64s();
        foreach (var row in leave) (accepted[index[row]], rejected[index[row]]) = (counts[row], counts[n + row]);
        var gone = Rows(leave);
        result.index_copy_(0, rows.Index.index_select(0, gone), rows.State.index_select(0, gone));
        var kept = Rows(stay);
        var others = rows.Of(kept);
        foreach (var tensor in others.Tensors) scope.MoveToOuter(tensor);
        foreach (var tensor in rows.Tensors) tensor.Dispose();
        rows = others;
        for (var i = 0; i < given.Count; i++) given[i] = scope.MoveToOuter(given[i].index_select(0, kept));
    }

    private Tensor Rows(List<long> list) => tensor(list.ToArray(), dtype: int64, device: CPU).to(rows.Index.device);

    // the solution at the times that the step passed
    private void Report(OdeRows before, OdeAttempt attempt, Tensor taken)
    {
        var device = before.State.device;
        var times = tensor(plan.Times.Skip(1).Take(plan.Times.Count - 2).ToArray(), dtype: float64, device: CPU).to(device).unsqueeze(1);
        var (from, to) = (before.Time, before.Time.add(before.Step, Scalars.One));
        var within = plan.Control.End > plan.Control.Start
            ? times.ge(from).logical_and(times.le(to))
            : times.le(from).logical_and(times.ge(to));
        within = within.logical_and(taken);
        var theta = times.sub(from).div(before.Step).clamp(Scalars.Zero, Scalars.One);
        Tensor? sum = null;
        for (var j = 0; j < attempt.Slopes.Count; j++)
        {
            var weight = DenseWeight(j, attempt.Slopes.Count - 1, theta).to(before.State.dtype).unsqueeze(2);
            var part = attempt.Slopes[j].unsqueeze(0).mul(weight);
            sum = sum is null ? part : sum.add(part, Scalars.One);
        }
        var found = sum!.mul(before.Step.to(before.State.dtype).unsqueeze(1)).add(before.State, Scalars.One);
        var place = values!.narrow(0, 1, plan.Times.Count - 2);
        place.index_copy_(1, before.Index, where(within.unsqueeze(2), found, place.index_select(1, before.Index)));
    }

    private Tensor DenseWeight(int j, int last, Tensor theta)
    {
        var rest = theta.neg().add(Scalars.One, Scalars.One);
        var both = theta.mul(rest);
        var weight = theta.pow(Scalars.Two).mul(theta.mul(Scalars.Of(-2)).add(Scalars.Of(3),
            Scalars.One)).mul(Scalars.Of(j < plan.Tableau.Weights.Length ? plan.Tableau.Weights[j] : 0));
        if (j == 0) weight = weight.add(both.mul(rest), Scalars.One);
        if (j == last) weight = weight.sub(both.mul(theta));
        return plan.Tableau.Dense is { } dense ? weight.add(both.pow(Scalars.Two), Scalars.Of(dense[j])) : weight;
    }

    private OdeException Failure(int row, long status, long component)
    {
        var (example, time, step) = (rows.Index[row].FetchInt64(), rows.Time[row].FetchDouble(), rows.Step[row].FetchDouble());
        return OdeFailures.Describe(plan, status, example, time, step, component);
    }
}
