using System.Globalization;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Checking;

/// <summary>Batches: independence of examples, sizes 0 and 1, memory layouts, and the context of each example.</summary>
internal sealed class BatchLaws(Subject subject, Recorder recorder, Probes probes) : Laws(subject, recorder)
{
    private const int Examples = 4;

    /// <summary>How often parameters are drawn anew to show an influence: the few units of a small network may all be off.</summary>
    private const int Draws = 8;

    private const double Far = 20;

    public void Check(Probe probe)
    {
        Recorder.Run(FlowLaw.BatchIndependence, probe.Name, () => Independence(probe));
        // what these two ask does not depend on the dtype, and float32 would hide weak influences
        if (Subject.Dtype == float64 && !probe.Inverse)
            Recorder.Run(FlowLaw.TrainingBatchDeclared, probe.Name, () => InTraining(() => Declared(probe)));
        if (Subject.Dtype == float64 && probe.Context is not null) Recorder.Run(FlowLaw.ContextMatters, probe.Name, () => Matters(probe));
        Sizes(probe);
        if (!Layer.IsStochastic) Recorder.Run(FlowLaw.AnyCompany, probe.Name, () => Company(probe));
        if (!Layer.IsStochastic || !probe.Inverse) Layouts(probe);
    }

    private void Independence(Probe probe)
    {
        using var _ = no_grad();
        var (error, scale) = Influence(probe);
        Recorder.Compare(FlowLaw.BatchIndependence, probe.Name, error, Tolerance * scale,
            "Example 1 changes when example 0 is another one.");
    }

    private void Declared(Probe probe)
    {
        using var _ = no_grad();
        var error = 0.0;
        var mixes = Anywhere(Layer.MixesBatchInTraining, () =>
        {
            (error, var scale) = Influence(probe);
            return error > Tolerance * scale;
        });
        var influence = mixes ? string.Create(CultureInfo.InvariantCulture, $"influence each other (by {error:G3})")
            : "do not influence each other";
        Recorder.Require(FlowLaw.TrainingBatchDeclared, probe.Name, mixes == Layer.MixesBatchInTraining,
            $"In training the examples {influence}, but MixesBatchInTraining is {Layer.MixesBatchInTraining}.");
    }

    /// <summary>How much the other examples change when the first is replaced.</summary>
    private (double Error, double Scale) Influence(Probe probe)
    {
        var (input, context) = Batch(probe);
        var state = Subject.Snapshot();
        var (value, logDet) = Subject.Run(input, context, probe.Inverse);
        // training changed the running averages: both runs start from the same
        Subject.Restore(state);
        var other = input.clone();
        other[0].copy_(input[^1]);
        var (otherValue, otherLogDet) = Subject.Run(other, context, probe.Inverse);
        return (Math.Max(Difference(value[1..], otherValue[1..]), Difference(logDet[1..], otherLogDet[1..])), Scale(value, logDet));
    }

    private void Sizes(Probe probe)
    {
        Recorder.Run(FlowLaw.BatchSizes, $"{probe.Name}, a batch of 0", () => Size(probe, 0));
        Recorder.Run(FlowLaw.BatchSizes, $"{probe.Name}, a batch of 1", () => Size(probe, 1));
        if (probe.Inverse) return;
        Recorder.Run(FlowLaw.BatchSizes, $"{probe.Name}, a batch of 0 in training", () => InTraining(() => Size(probe, 0)));
        Recorder.Run(FlowLaw.BatchSizes, $"{probe.Name}, a batch of 1 in training", () => InTraining(() => Size(probe, 1)));
    }

    private void Size(Probe probe, int size)
    {
        using var _ = no_grad();
        var where = $"{probe.Name}, a batch of {size}{(Layer.training ? " in training" : "")}";
        var (input, context) = Batch(probe);
        var (value, logDet) = Subject.Run(input[..size], context?[..size], probe.Inverse);
        long[] expected = [size, .. Subject.Run(input, context, probe.Inverse).Value.shape[1..]];
        var shapes = value.shape.AsSpan().SequenceEqual(expected) && logDet.shape.AsSpan().SequenceEqual([size]);
        Recorder.Require(FlowLaw.BatchSizes, where, shapes,
            $"The value has shape {Shape(value)} and the log-det {Shape(logDet)}; expected {EventShape.Format(expected)} and ({size},).");
        if (!shapes || size == 0) return;
        if (Layer.training)
        {
            Recorder.Require(FlowLaw.BatchSizes, where, value.isfinite().all().Fetch<bool>() && logDet.isfinite().all().Fetch<bool>(),
                "The result has values that are NaN or infinite.");
            return;
        }
        if (Layer.IsStochastic) return;
        var whole = Subject.Run(input, context, probe.Inverse);
        var error = Math.Max(Difference(value, whole.Value[..1]), Difference(logDet, whole.LogDet[..1]));
        Recorder.Compare(FlowLaw.BatchSizes, where, error, Tolerance * Scale(whole.Value, whole.LogDet),
            "The example alone gets another result than in a batch.");
    }

    private void Company(Probe probe)
    {
        using var _ = no_grad();
        var (input, context) = Batch(probe);
        var (value, logDet) = Subject.Run(input, context, probe.Inverse);
        var error = 0.0;
        for (var row = 0; row < input.shape[0]; row++)
        {
            var alone = Subject.Run(input.narrow(0, row, 1), context?.narrow(0, row, 1), probe.Inverse);
            error = Math.Max(error, Math.Max(Difference(alone.Value, value.narrow(0, row, 1)),
                Difference(alone.LogDet, logDet.narrow(0, row, 1))));
        }
        var options = Subject.Options;
        // who is far away must be one that the map is for
        if (options.Extreme >= Far && options.Minimum <= -options.Extreme && options.Maximum >= options.Extreme && options.DrawLatents)
        {
            var (far, n) = (input[..1].sign().mul(Scalars.Of(Far)), input.shape[0]);
            var with = Subject.Run(cat([input, far]), context is null ? null : cat([context, context[..1]]), probe.Inverse);
            error = Math.Max(error, Math.Max(Difference(with.Value.narrow(0, 0, n), value),
                Difference(with.LogDet.narrow(0, 0, n), logDet)));
        }
        Recorder.Compare(FlowLaw.AnyCompany, probe.Name, error, Tolerance * Scale(value, logDet),
            "An example gets another result alone, or beside one that is far away.");
    }

    private void Layouts(Probe probe)
    {
        foreach (var (name, make) in Layouts())
            Recorder.Run(FlowLaw.StridedInputs, $"{probe.Name}, {name}", () =>
            {
                using var _ = no_grad();
                var (input, context) = Batch(probe);
                var strided = make(input);
                var stridedContext = context is null ? null : make(context);
                var expected = Subject.Run(strided.contiguous().clone(), stridedContext?.contiguous().clone(), probe.Inverse);
                var found = Subject.Run(strided, stridedContext, probe.Inverse);
                var error = Math.Max(Difference(found.Value, expected.Value), Difference(found.LogDet, expected.LogDet));
                Recorder.Compare(FlowLaw.StridedInputs, $"{probe.Name}, {name}", error, Tolerance * Scale(expected.Value, expected.LogDet),
                    "The result differs from that of a contiguous copy.");
            });
    }

    private static IEnumerable<(string Name, Func<Tensor, Tensor> Make)> Layouts() =>
    [
        ("every second element in memory", x => stack([x, x.neg()], -1).select(-1, 0)),
        ("a slice of a larger batch", x => cat([x, x, x]).narrow(0, x.shape[0], x.shape[0])),
        ("dimensions in the opposite order in memory", x => { var reversed = Enumerable.Range(0, (int)x.dim()).Reverse()
            .Select(d => (long)d).ToArray(); return x.permute(reversed).contiguous().permute(reversed); }),
        ("one example expanded", x => x[..1].expand(x.shape)),
    ];

    private void Matters(Probe probe)
    {
        using var _ = no_grad();
        var (input, context) = Batch(probe);
        var change = 0.0;
        var matters = Anywhere(true, () =>
        {
            // the caller's contexts in another order, or steps both ways: long ones open a unit that short ones leave off
            var others = Subject.Options.Context is null ? new[] { 1.0, -1, 10, -10 }.Select(step => context!.add(Scalars.Of(step),
                Scalars.One)) : Enumerable.Range(1, Examples - 1).Select(n => context!.roll([n], [0L]));
            var one = Subject.Run(input, context, probe.Inverse);
            change = others.Select(other => Subject.Run(input, other, probe.Inverse))
                .Max(two => Math.Max(Difference(one.Value, two.Value), Difference(one.LogDet, two.LogDet)));
            return change > Tolerance * Scale(one.Value, one.LogDet);
        });
        Recorder.Require(FlowLaw.ContextMatters, probe.Name, matters,
            FormattableString.Invariant($"Other contexts change the result by {change:G3} at most, which rounding could do."));
    }

    /// <summary>Whether something happens with the present parameters or, if it is expected, with others.</summary>
    private bool Anywhere(bool expected, Func<bool> happens)
    {
        if (happens()) return true;
        if (!expected || !Subject.Options.RandomizeParameters) return false;
        var (state, training) = (Subject.Snapshot(), Layer.training);
        try
        {
            return Enumerable.Range(1, Draws).Any(n =>
            {
                Subject.Randomize(Subject.Options.Seed + n, probes.Draw, probes.DrawContext(1));
                Layer.train(training);
                return happens();
            });
        }
        finally
        {
            Subject.Restore(state);
            Layer.train(training);
        }
    }

    private (Tensor Input, Tensor? Context) Batch(Probe probe)
    {
        using var scope = NewDisposeScope();
        var rows = Scalars.Range(Examples, CPU).remainder(Scalars.Integer(probe.Input.shape[0]));
        var input = Cast(probe.Input.index_select(0, rows)).MoveToOuterDisposeScope();
        return (input, probe.Context is null ? null : Cast(probe.Context.index_select(0, rows)).MoveToOuterDisposeScope());
    }
}
