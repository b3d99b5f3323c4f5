using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Checking;

/// <summary>Batches: independence of examples, sizes 0 and 1, memory layouts, and the context of each example.</summary>
internal sealed class BatchLaws(Subject subject, Recorder recorder) : Laws(subject, recorder)
{
    private const int Examples = 4;

    public void Check(Probe probe)
    {
        Recorder.Run(FlowLaw.BatchIndependence, probe.Name, () => Independence(probe));
        // what these two ask does not depend on the dtype, and float32 would hide weak influences
        if (Subject.Dtype == float64 && !probe.Inverse) Recorder.Run(FlowLaw.TrainingBatchDeclared, probe.Name, () => InTraining(() => Declared(probe)));
        if (Subject.Dtype == float64 && probe.Context is not null) Recorder.Run(FlowLaw.ContextMatters, probe.Name, () => Matters(probe));
        Sizes(probe);
        if (!Layer.IsStochastic || !probe.Inverse) Layouts(probe);
    }

    private void Independence(Probe probe)
    {
        using var _ = no_grad();
        var (error, scale) = Influence(probe);
        Recorder.Compare(FlowLaw.BatchIndependence, probe.Name, error, Tolerance * scale, "Example 1 changes when example 0 is another one.");
    }

    private void Declared(Probe probe)
    {
        using var _ = no_grad();
        var (error, scale) = Influence(probe);
        var mixes = error > Tolerance * scale;
        Recorder.Require(FlowLaw.TrainingBatchDeclared, probe.Name, mixes == Layer.MixesBatchInTraining,
            FormattableString.Invariant($"In training the examples {(mixes ? $"influence each other (by {error:G3})" : "do not influence each other")}, but MixesBatchInTraining is {Layer.MixesBatchInTraining}."));
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
        Recorder.Require(FlowLaw.BatchSizes, where, shapes, $"The value has shape {Shape(value)} and the log-det {Shape(logDet)}; expected {EventShape.Format(expected)} and ({size},).");
        if (!shapes || size == 0) return;
        if (Layer.training)
        {
            Recorder.Require(FlowLaw.BatchSizes, where, value.isfinite().all().item<bool>() && logDet.isfinite().all().item<bool>(), "The result has values that are NaN or infinite.");
            return;
        }
        if (Layer.IsStochastic) return;
        var whole = Subject.Run(input, context, probe.Inverse);
        var error = Math.Max(Difference(value, whole.Value[..1]), Difference(logDet, whole.LogDet[..1]));
        Recorder.Compare(FlowLaw.BatchSizes, where, error, Tolerance * Scale(whole.Value, whole.LogDet), "The example alone gets another result than in a batch.");
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
                Recorder.Compare(FlowLaw.StridedInputs, $"{probe.Name}, {name}", error, Tolerance * Scale(expected.Value, expected.LogDet), "The result differs from that of a contiguous copy.");
            });
    }

    private static IEnumerable<(string Name, Func<Tensor, Tensor> Make)> Layouts() =>
    [
        ("every second element in memory", x => stack([x, x.neg()], -1).select(-1, 0)),
        ("a slice of a larger batch", x => cat([x, x, x]).narrow(0, x.shape[0], x.shape[0])),
        ("dimensions in the opposite order in memory", x => { var reversed = Enumerable.Range(0, (int)x.dim()).Reverse().Select(d => (long)d).ToArray(); return x.permute(reversed).contiguous().permute(reversed); }),
        ("one example expanded", x => x[..1].expand(x.shape)),
    ];

    private void Matters(Probe probe)
    {
        using var _ = no_grad();
        var (input, context) = Batch(probe);
        var other = Subject.Options.Context is null ? context!.add(1) : context!.roll([1L], [0L]);
        var one = Subject.Run(input, context, probe.Inverse);
        var two = Subject.Run(input, other, probe.Inverse);
        var change = Math.Max(Difference(one.Value, two.Value), Difference(one.LogDet, two.LogDet));
        var least = Tolerance * Scale(one.Value, one.LogDet);
        Recorder.Require(FlowLaw.ContextMatters, probe.Name, change > least, FormattableString.Invariant($"Another context changes the result by {change:G3} only, which rounding could do."));
    }

    private (Tensor Input, Tensor? Context) Batch(Probe probe)
    {
        using var scope = NewDisposeScope();
        var rows = arange(Examples, dtype: int64, device: CPU).remainder(probe.Input.shape[0]);
        var input = Cast(probe.Input.index_select(0, rows)).MoveToOuterDisposeScope();
        return (input, probe.Context is null ? null : Cast(probe.Context.index_select(0, rows)).MoveToOuterDisposeScope());
    }
}
