using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>An ordinary differential equation could not be solved: its dynamics are stiff, grow without bound, or are not finite.</summary>
/// <remarks>From a flow, its message begins with the method that was called and the layer, and <see cref="Example"/> is the row of
/// what that method was given.</remarks>
public sealed class OdeException : ArithmeticException, IRowFault
{
    private readonly string place, before, after;

    internal OdeException(string before, string after, OdeFailure failure, long example, double time, double stepSize, long component)
        : this("", before, after, failure, example, time, stepSize, component, null) { }

    private OdeException(string place, string before, string after, OdeFailure failure, long example, double time, double stepSize,
        long component, Exception? cause)
        : base(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{place}{before} example {example} {after}"), cause)
    {
        (this.place, this.before, this.after) = (place, before, after);
        (Failure, Example, Time, StepSize, Component) = (failure, example, time, stepSize, component);
    }

    /// <summary>What happened.</summary>
    public OdeFailure Failure { get; }

    /// <summary>The example (row of y0, or of what a flow was given) that failed; the first, if several did.</summary>
    public long Example { get; }

    /// <summary>The time t that this example had come to.</summary>
    public double Time { get; }

    /// <summary>The step h that was tried last, negative backwards in time.</summary>
    public double StepSize { get; }

    /// <summary>The component of the example, counted through all its dimensions,
    /// whose error counted most in that step, or that was not finite.</summary>
    public long Component { get; }

    /// <summary>The layer of a flow whose equation it was, its name and its class; null outside of a flow.</summary>
    public string? Layer { get; private init; }

    /// <summary>The innermost layer that ran.</summary>
    internal nn.Module? Origin { get; private set; }

    /// <summary>Whether what came to that layer was NaN or infinite already, so that another one is at fault.</summary>
    internal bool MetNotFinite { get; private set; }

    /// <summary>For an exception filter: notes the layer and what came to it, and catches nothing.</summary>
    internal bool Passes(nn.Module layer, Tensor input)
    {
        if (Origin is not null) return false;
        (Origin, MetNotFinite) = (layer, Failure == OdeFailure.NotFinite && !Numbers.AreFinite(input));
        return false;
    }

    /// <summary>The same, said of a layer.</summary>
    /// <param name="where">What was called.</param>
    /// <param name="layer">The name of the layer.</param>
    /// <param name="advice">What else is to be said, or nothing.</param>
    internal OdeException Of(string where, string layer, string advice = "") =>
        new($"{where}: {layer} has no result. ", before, advice.Length > 0 ? $"{after} {advice}" : after, Failure, Example, Time, StepSize,
            Component, this) { Layer = layer, Origin = Origin };

    /// <inheritdoc/>
    Exception IRowFault.Behind(long rows) => new OdeException(place, before, after, Failure, Example + rows, Time, StepSize, Component,
        this) { Layer = Layer, Origin = Origin };
}
