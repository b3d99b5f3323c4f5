using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// The velocity of examples that move with time: dx/dt = v(t, x). A continuous flow follows it, as Neural ODEs do (arXiv
/// 1806.07366); the log-density along a path changes by minus the divergence Σᵢ ∂vᵢ/∂xᵢ (FFJORD, arXiv 1810.01367, equation 2).
/// </summary>
/// <remarks>
/// <para>Time runs from t = 0, where latents are, to t = 1, where data are, as in flow matching (arXiv 2210.02747).</para>
/// <para>For a network of your own, use <see cref="From(nn.Module{Tensor, Tensor, Tensor})"/>, or derive from this
/// class, implement <see cref="Velocity"/>, and call <c>RegisterComponents()</c> last in the constructor. Derivatives
/// come from autograd then; override <see cref="VelocityAndDivergence"/> or <see cref="VelocityAndProducts"/> for
/// faster ones. Each example must move as if it were alone: a batch normalization has no place here.</para>
/// <para>Thread safety: in evaluation mode all methods may be called from several threads at once.</para>
/// </remarks>
public abstract partial class Dynamics : nn.Module
{
    /// <summary>Begins a velocity.</summary>
    /// <param name="name">The name that errors show, usually the class name.</param>
    /// <param name="shape">The shape of one example; null if any will do.</param>
    /// <param name="contextSize">C, the number of context features; 0 for none.</param>
    protected Dynamics(string name, EventShape? shape = null, long contextSize = 0) : base(TorchBackend.Checked(name))
    {
        Check.NotNegative(contextSize, nameof(contextSize), "The number of context features");
        (Shape, ContextSize) = (shape, contextSize);
    }

    /// <summary>The shape of one example, a size of -1 standing for any size; null if any shape will do.</summary>
    public EventShape? Shape { get; }

    /// <summary>The number of context features C that it needs; 0 if it takes none.</summary>
    public long ContextSize { get; }

    /// <summary>The elements of x that are positions on circles: the velocity is the same at both edges. Empty unless overridden.</summary>
    public virtual IReadOnlyList<Circle> CircularFeatures => [];

    /// <summary>Whether the velocity is at right angles to x, so that |x| never changes and unit vectors stay on
    /// their sphere. False unless overridden. <see cref="SphericalDynamics"/> makes it so of any dynamics.</summary>
    public virtual bool KeepsLength => false;

    /// <summary>The velocity of each example at its own time.</summary>
    /// <param name="t">(N), in the dtype and on the device of x.</param>
    /// <param name="x">(N, ...), with the dtype and on the device of the weights.</param>
    /// <param name="context">(N, C) if <see cref="ContextSize"/> is C; null if that is 0.</param>
    /// <returns>(N, ...), of the shape of x. The caller disposes it.</returns>
    public abstract Tensor Velocity(Tensor t, Tensor x, Tensor? context = null);

    /// <summary>Any network that takes t (N) and x (N, ...), and gives the velocity in the shape of x.</summary>
    /// <param name="network">The network, which the dynamics own.</param>
    public static Dynamics From(nn.Module<Tensor, Tensor, Tensor> network) => new ModuleDynamics(network, 0);

    /// <summary>Any network that takes t (N), x (N, ...) and a context (N, C), and gives the velocity in the shape of x.</summary>
    /// <param name="network">The network, which the dynamics own.</param>
    /// <param name="contextSize">C, at least 1.</param>
    public static Dynamics From(nn.Module<Tensor, Tensor, Tensor, Tensor> network, long contextSize)
    {
        Check.Positive(contextSize, nameof(contextSize), "The number of context features");
        return new ModuleDynamics(network, contextSize);
    }

    /// <summary>The dynamics as a tree of their parts, each with its class, shapes, properties and number of parameters.</summary>
    public override string ToString() => Describing.ModuleTree.Of(this);

    /// <summary>Throws if the dynamics are not for examples of a shape: by
    /// what they say, or else by a try on two examples of zeros.</summary>
    /// <param name="shape">The shape of one example, all sizes known.</param>
    /// <param name="owner">Who takes the dynamics.</param>
    /// <param name="parameter">What the caller called them.</param>
    /// <exception cref="ArgumentException">The message says what came and what was expected.</exception>
    internal void Require(EventShape shape, string owner, string parameter)
    {
        ModuleLife.Alive(this, parameter, owner);
        if (Shape is { } own && !own.Matches(shape.ToArray()))
            throw new ArgumentException($"The {GetName()} of {owner} is for examples of shape {own}; the layer has {shape}.", parameter);
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var mode = EvaluationMode.Enter(this);
        using var random = RandomState.Keep();
        var (dtype, device) = NetworkCheck.Home(this);
        var x = zeros(shape.WithBatch(2), dtype: dtype, device: device);
        Tensor? velocity;
        try { velocity = Velocity(zeros(2, dtype: dtype, device: device), x, ContextSize > 0
            ? zeros([2, ContextSize], dtype: dtype, device: device) : null); }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw new ArgumentException(
                $"The {GetName()} of {owner} fails on t of shape (2) and x of shape {EventShape.Format(x.shape)}: " +
                    $"{e.Message.Split('\n')[0].TrimEnd('.')}. It must give the velocity in the shape of x.", parameter, e);
        }
        CheckVelocity(velocity, x, owner, parameter);
        if (device.type != DeviceType.META) DynamicsCheck.Require(this, x, owner, parameter);
    }

    private void CheckVelocity(Tensor? velocity, Tensor x, string owner, string parameter)
    {
        if (velocity is { IsInvalid: false } && velocity.shape.AsSpan().SequenceEqual(x.shape) && velocity.dtype == x.dtype) return;
        var came = velocity is null or { IsInvalid: true } ? "nothing" : $"{EventShape.Format(velocity.shape)} of dtype {velocity.dtype}";
        throw new ArgumentException(
            $"The {GetName()} of {owner} gives {came} for x of shape {EventShape.Format(x.shape)} and dtype {x.dtype}; it must give " +
            "the velocity in the shape and dtype of x.", parameter);
    }
}
