using RealNvp.Layers;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>What travels through the layers beside the values in one call of a
/// flow or a layer: the context, and where random numbers come from.</summary>
/// <remarks>
/// A layer gets it as an argument of <see cref="Bijection.ForwardCore"/> and <see cref="Bijection.InverseCore"/>.
/// It is two references wide: pass it on by value, and keep it no longer than the call. Layers that are run within
/// a call, by <see cref="Composite"/> or by <see cref="Bijection.Forward(Tensor, Tensor)"/>, belong to the same pass, so that a
/// seed, the search for a layer at fault and <see cref="Flow.ReversibleTraining"/> reach them.
/// </remarks>
public readonly struct Pass
{
    internal Pass(Tensor? context, PassState? state) => (Context, State) = (context, state);

    /// <summary>The context (N, C), where C is <see cref="Bijection.ContextSize"/>; null if that is 0.</summary>
    public Tensor? Context { get; }

    /// <summary>The generator that a random layer draws from, with <see cref="Noise"/>; null is torch's own.</summary>
    public Generator? Generator => State?.Generator;

    /// <summary>The dtype in which the caller of an inverse pass wants x, for a layer
    /// that <see cref="Bijection.ConvertsDtype"/>; null is that of z.</summary>
    public ScalarType? RequestedDtype => State?.DataDtype;

    /// <summary>Whether the caller uses the log-determinants, as <c>LogProb</c> does. <c>Sample</c>, <c>Encode</c> and
    /// <c>Decode</c> drop them: a layer whose log-determinant is work of its own returns null for it then.</summary>
    /// <remarks>Layers whose log-determinant costs nothing need not ask.</remarks>
    public bool WantsLogDet => State is not { ValuesOnly: true };

    /// <summary>Whether the caller wants to know how far off the log-determinant is, which may cost a layer more work: then it calls
    /// <see cref="AddVariance"/> or <see cref="AddError"/> once for what it returns.</summary>
    public bool WantsErrors => State?.Errors is not null;

    /// <summary>Says the variance of the log-determinant that a layer
    /// estimates. Without <see cref="WantsErrors"/> it does nothing.</summary>
    /// <param name="variance">(N), in nats², such as the spread of k independent draws over k;
    /// null if there is but one draw, so that nobody can tell. It stays the caller's.</param>
    public void AddVariance(Tensor? variance) => State?.Errors?.AddVariance(variance);

    /// <summary>Says how far off the log-determinant is for another reason than noise: what a series leaves
    /// out, or what a solver is off. Without <see cref="WantsErrors"/> it does nothing.</summary>
    /// <param name="error">(N), in nats. It stays the caller's.</param>
    public void AddError(Tensor error)
    {
        ArgumentNullException.ThrowIfNull(error);
        State?.Errors?.AddError(error);
    }

    internal PassState? State { get; }

    /// <summary>The tape of reversible training that layers write on; null without one.</summary>
    internal PassTape? Tape => State?.Tape;

    /// <summary>The pass that runs on this thread, with a context.</summary>
    internal static Pass Here(Tensor? context) => new(context, PassState.Current);
}
