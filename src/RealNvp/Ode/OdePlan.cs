using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Ode;

/// <summary>All that is settled before a solve begins.</summary>
internal sealed class OdePlan
{
    // what counts as the digits of t and y
    private const double Roundings = 16;

    public OdePlan(OdeOptions options, IReadOnlyList<double> times, long components, ScalarType dtype)
    {
        (Options, Times, Tableau) = (options, times, OdeTableau.Of(options.Method));
        var (start, end) = (times[0], times[^1]);
        var weights = options.ErrorWeights?.ToArray()
            ?? [.. Enumerable.Repeat(options.Norm == OdeNorm.Maximum ? 1 : 1.0 / Math.Max(1, components), (int)components)];
        Control = new OdeControl
        {
            Start = start,
            End = end,
            LeastStep = Roundings * double.BitIncrement(0) + (Roundings * 2.220446049250313e-16 * Math.Max(Math.Abs(start), Math.Abs(end))),
            AbsoluteTolerance = options.AbsoluteTolerance,
            RelativeTolerance = Math.Max(options.RelativeTolerance, Roundings * finfo(dtype).eps),
            ErrorOrder = Tableau.Order,
            MaxSteps = options.MaxSteps,
            IsAdaptive = options.IsAdaptive,
            FixedSteps = options.Steps,
            UsesMaximum = options.Norm == OdeNorm.Maximum,
            Weights = weights,
        };
    }

    public OdeOptions Options { get; }

    public OdeTableau Tableau { get; }

    public OdeControl Control { get; }

    /// <summary>The first time, those between that are asked for, and the last.</summary>
    public IReadOnlyList<double> Times { get; }

    /// <summary>Whether the solution is asked for between the first time and the last.</summary>
    public bool IsDense => Times.Count > 2;

    /// <summary>Whether the slope at the end of a step is kept for the next.</summary>
    public bool CarriesSlope => Tableau.EndsAtNext || IsDense;

    /// <summary>The same from one of the times to the next.</summary>
    public OdePlan Part(int i, ScalarType dtype)
    {
        // steps of one size: as many as fall into this part
        var share = Math.Abs((Times[i] - Times[i - 1]) / (Control.End - Control.Start));
        var options = Options with { Steps = Math.Max(1, (int)Math.Ceiling((Options.Steps * share) - 1e-9)) };
        return new(options, [Times[i - 1], Times[i]], Control.Weights.Length, dtype);
    }

    /// <summary>The plan of state and adjoint side by side, backwards in time; both count as the state does.</summary>
    public OdePlan Adjoint(ScalarType dtype)
    {
        var share = Options.Norm == OdeNorm.Maximum ? 1 : 0.5;
        var options = Options with { ErrorWeights = [.. Control.Weights.Concat(Control.Weights).Select(w => w * share)], FirstStep = null };
        return new(options, [Control.End, Control.Start], 2L * Control.Weights.Length, dtype);
    }

    /// <summary>How gradients get through the solve of a system.</summary>
    public OdeGradient GradientOf(OdeSystem system) => Options.Gradient switch
    {
        OdeGradient.Automatic => system.Parameters is null ? OdeGradient.Graph : OdeGradient.Checkpointed,
        var chosen when chosen != OdeGradient.Graph && system.Parameters is null => throw new ArgumentException(
            $"{nameof(OdeOptions)}.{nameof(OdeOptions.Gradient)} is {chosen}, which needs to know what f depends on. Give parameters " +
            $"(an empty list, if there are none), or a module; or use {nameof(OdeGradient)}.{nameof(OdeGradient.Graph)}."),
        var chosen => chosen,
    };

    public double FixedStep => (Control.End - Control.Start) / Options.Steps;
}
