using RealNvp.Internal;

namespace RealNvp;

public sealed partial class Trainer
{
    /// <summary>Tries the inverse on a few examples, and warns, once in a training, where it loses the digits. For flows whose inverse is fast.</summary>
    private void Probe(Run run)
    {
        if (flow.Bijection.HasFastInverse) TryInverse(run);
    }

    /// <summary>As <see cref="Probe"/> for the other flows, whose inverse goes from feature to feature: once, at the end.</summary>
    private void ProbeSlowInverse(Run run)
    {
        if (flow.Bijection.HasFastInverse) return;
        using (average?.Apply()) TryInverse(run);
    }

    private void TryInverse(Run run)
    {
        if (run.Rows is not { } rows || state.Warnings.Any(RoundTrip.IsWarning)) return;
        if (RoundTrip.Measure(flow, rows.X, rows.Context, Mix(Options.Seed, -2)).Warning is { } warning) Warn(warning);
    }
}
