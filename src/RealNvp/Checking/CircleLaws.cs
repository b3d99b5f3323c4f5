using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Checking;

/// <summary>What a layer claims to be a circle has no cut: a turn on, and from
/// one side of the cut to the other, value and log-det are the same.</summary>
internal sealed class CircleLaws(Subject subject, Recorder recorder) : Laws(subject, recorder)
{
    /// <summary>The distance from the cut, in turns.</summary>
    private const double Step = 1e-9;

    /// <summary>A jump of this share of the values is one.</summary>
    private const double Jump = 1e-6;

    /// <summary>A map without a jump moves as fast between the sides as it does beside them; steep ones get this many times that.</summary>
    private const double Safety = 8;

    public void Check(Probe probe)
    {
        // float32 has too few digits to come near the cut
        if (Subject.Dtype != float64 || Layer.IsStochastic) return;
        var (from, to) = probe.Inverse ? (LatentCircles, DataCircles) : (DataCircles, LatentCircles);
        foreach (var circle in from)
            Recorder.Run(FlowLaw.ContinuousOnCircles, $"{probe.Name}, {circle}", () => Continuous(probe, circle, to));
    }

    private void Continuous(Probe probe, Circle circle, IReadOnlyList<Circle> to)
    {
        using var _ = no_grad();
        var (input, context) = (Cast(probe.Input), probe.Context is null ? null : Cast(probe.Context));
        var column = input.flatten(1).select(1, circle.Feature);
        (Tensor Value, Tensor LogDet) At(Tensor values)
        {
            var moved = input.flatten(1).clone();
            moved.select(1, circle.Feature).copy_(values);
            return Subject.Run(moved.reshape(input.shape), context, probe.Inverse);
        }
        (Tensor, Tensor) Near(double value) => At(full_like(column, Scalars.Of(value)));
        double Gap((Tensor Value, Tensor LogDet) a, (Tensor Value, Tensor LogDet) b) =>
            Math.Max(Difference(a.Value, b.Value, to), Difference(a.LogDet, b.LogDet));

        var (here, turned) = (At(column), At(column.add(Scalars.Of(circle.Period), Scalars.One)));
        var scale = Scale(here.Value, here.LogDet);
        Recorder.Compare(FlowLaw.ContinuousOnCircles, $"{probe.Name}, {circle}, a turn on", Gap(here, turned), Tolerance * scale,
            "One turn on, the value (up to whole turns) or the log-det is another one.");

        var step = Step * circle.Period;
        var (low, high) = (Near(circle.Low + step), Near(circle.High - step));
        var slope = Gap(low, Near(circle.Low + (2 * step))) + Gap(high, Near(circle.High - (2 * step)));
        Recorder.Compare(FlowLaw.ContinuousOnCircles, $"{probe.Name}, {circle}, across the cut", Gap(low, high),
            (Jump * scale) + (Safety * slope),
            FormattableString.Invariant(
                $"Between {circle.Low:G6} and {circle.High:G6}, which are one point, the value or the log-det jumps."));
    }
}
