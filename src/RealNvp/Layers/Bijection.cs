using RealNvp.Internal;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// An invertible map with a known log-determinant. <see cref="Forward(Tensor, Tensor)"/> maps data x to latent z, as f: X → Z in the
/// Real NVP paper; <see cref="Inverse(Tensor, Tensor)"/> maps z back to x.
/// </summary>
/// <remarks>
/// <para>Both methods return log|det J| of the map that they applied, one number an example, so the log-determinant of
/// Inverse at z is minus that of Forward at x.</para>
/// <para>To write a layer, derive from this class, implement <see cref="ForwardCore"/> and <see cref="InverseCore"/>, and
/// call <c>RegisterComponents()</c> last in the constructor. Shapes, dtypes, devices and memory are dealt with here.</para>
/// <para>Thread safety: in evaluation mode both methods may be called from several threads at once. Training is for one thread.</para>
/// </remarks>
[Describing.TypeFormatterSource(typeof(Describing.HtmlFormatterSource))]
public abstract partial class Bijection : nn.Module, IDescribed
{
    /// <summary>Makes a bijection for examples of one shape.</summary>
    /// <param name="name">The name that errors show, usually the class name.</param>
    /// <param name="inputShape">The shape of x without the batch; null if any shape will do.</param>
    protected Bijection(string name, EventShape? inputShape = null) : base(TorchBackend.Checked(name)) => InputShape = inputShape;

    /// <summary>The shape of one example x, a size of -1 standing for any size; null if any shape will do.</summary>
    public EventShape? InputShape { get; }

    /// <summary>The number of context features C that this map needs, 0 if it takes no context.</summary>
    public virtual long ContextSize => 0;

    /// <summary>The shape of z for an x of shape <paramref name="input"/>; the same shape unless a layer says otherwise.</summary>
    public virtual EventShape OutputShapeOf(EventShape input) => input;

    /// <summary>The shape of x for a z of shape <paramref name="output"/>; the same shape unless a layer says otherwise.</summary>
    public virtual EventShape InputShapeOf(EventShape output) => output;

    /// <summary>Maps data x to latent z.</summary>
    /// <param name="x">A batch of shape (N, ...) with the dtype and on the device of the weights. N may be 0.</param>
    /// <param name="context">(N, C) where <see cref="ContextSize"/> is C; null if that is 0.</param>
    /// <returns>z, and log|det ∂z/∂x| of shape (N). The caller disposes both; x and the context stay as they are.</returns>
    /// <exception cref="ArgumentException">A shape, dtype or device does not fit; the message says what was expected.</exception>
    public (Tensor Value, Tensor LogDet) Forward(Tensor x, Tensor? context = null)
    {
        CheckForward(x, context);
        return ApplyAlone(x, nameof(x), context, inverse: false);
    }

    /// <summary>Maps data x to latent z within the pass of another layer, which
    /// calls it: its generator, and who looks on, are this one's too.</summary>
    /// <remarks>A layer that is made of others says it as a <see cref="Composite"/>,
    /// whose layers are trained reversibly one by one.</remarks>
    /// <param name="x">As of <see cref="Forward(Tensor, Tensor)"/>.</param>
    /// <param name="pass">The pass that the calling layer was given.</param>
    /// <inheritdoc cref="Forward(Tensor, Tensor)" path="/returns"/>
    /// <inheritdoc cref="Forward(Tensor, Tensor)" path="/exception"/>
    public (Tensor Value, Tensor LogDet) Forward(Tensor x, Pass pass)
    {
        CheckArguments(x, nameof(x), InputShape, pass.Context, nameof(Forward), ConvertsDtype);
        return Apply(x, pass, inverse: false);
    }

    /// <summary>Maps latent z back to data x.</summary>
    /// <param name="z">A batch of latents of shape (N, ...) with the dtype and on the device of the weights. N may be 0.</param>
    /// <param name="context">(N, C) where <see cref="ContextSize"/> is C; null if that is 0.</param>
    /// <returns>x, and log|det ∂x/∂z| of shape (N). The caller disposes both; z and the context stay as they are.</returns>
    /// <exception cref="ArgumentException">A shape, dtype or device does not fit; the message says what was expected.</exception>
    public (Tensor Value, Tensor LogDet) Inverse(Tensor z, Tensor? context = null)
    {
        CheckInverse(z, context);
        return ApplyAlone(z, nameof(z), context, inverse: true);
    }

    /// <summary>Maps latent z back to data x within the pass of another layer, which calls it.</summary>
    /// <param name="z">As of <see cref="Inverse(Tensor, Tensor)"/>.</param>
    /// <param name="pass">The pass that the calling layer was given.</param>
    /// <inheritdoc cref="Inverse(Tensor, Tensor)" path="/returns"/>
    /// <inheritdoc cref="Inverse(Tensor, Tensor)" path="/exception"/>
    public (Tensor Value, Tensor LogDet) Inverse(Tensor z, Pass pass)
    {
        CheckArguments(z, nameof(z), InputShape is { } s ? OutputShapeOf(s) : (EventShape?)null, pass.Context, nameof(Inverse));
        return Apply(z, pass, inverse: true);
    }

    /// <summary>The map x → z and its log|det| of shape (N), or null if it is 0
    /// for every x. Runs inside a dispose scope; arguments are checked.</summary>
    protected abstract (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass);

    /// <summary>The map z → x and its log|det| of shape (N), or null if it is 0
    /// for every z. Runs inside a dispose scope; arguments are checked.</summary>
    protected abstract (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass);

    /// <summary>Sums an elementwise log-derivative (N, ...) over all but
    /// the batch: the log-determinant (N) of an elementwise map.</summary>
    protected static Tensor SumExamples(Tensor logDerivative)
    {
        ArgumentNullException.ThrowIfNull(logDerivative);
        return Batch.SumExamples(logDerivative);
    }

    private void CheckArguments(Tensor input, string parameter, EventShape? expected, Tensor? context, string method, bool anyDtype = false)
    {
        CheckAlive();
        var owner = $"{GetName()}.{method}";
        Check.Batch(input, parameter, owner, expected);
        var weight = parameters().FirstOrDefault() ?? buffers().FirstOrDefault(b => b.is_floating_point());
        Check.Like(input, parameter, owner, weight, anyDtype);
        Check.Context(context, ContextSize, input.size(0), owner, weight);
    }
}
