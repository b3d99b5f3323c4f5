using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// An invertible map with a known log-determinant. <see cref="Forward"/> maps data x to latent z, as f: X → Z in the
/// Real NVP paper; <see cref="Inverse"/> maps z back to x.
/// </summary>
/// <remarks>
/// <para>Both methods return log|det J| of the map that they applied, one number an example, so the log-determinant of
/// Inverse at z is minus that of Forward at x.</para>
/// <para>To write a layer, derive from this class, implement <see cref="ForwardCore"/> and <see cref="InverseCore"/>, and
/// call <c>RegisterComponents()</c> last in the constructor. Shapes, dtypes, devices and memory are dealt with here.</para>
/// <para>Thread safety: in evaluation mode both methods may be called from several threads at once. Training is for one thread.</para>
/// </remarks>
[Describing.TypeFormatterSource(typeof(Describing.HtmlFormatterSource))]
public abstract class Bijection : nn.Module
{
    [ThreadStatic] private static Action<LayerRun>? observer;
    [ThreadStatic] private static Action<Bijection, Tensor, bool>? arrival;

    private readonly Constants constants = new();
    private bool disposed;

    /// <summary>Makes a bijection for examples of one shape.</summary>
    /// <param name="name">The name that errors show, usually the class name.</param>
    /// <param name="inputShape">The shape of x without the batch; null where any shape will do.</param>
    protected Bijection(string name, EventShape? inputShape = null) : base(TorchBackend.Checked(name)) => InputShape = inputShape;

    /// <summary>The shape of one example x, a size of -1 standing for any size; null where any shape will do.</summary>
    public EventShape? InputShape { get; }

    /// <summary>The number of context features C that this map needs, 0 where it takes no context.</summary>
    public virtual long ContextSize => 0;

    /// <summary>True where the examples of a batch influence each other in training, as with batch normalization. In evaluation they never do.</summary>
    /// <remarks>True by itself where a part of the layer is a batch normalization or such a bijection; any other layer says it.</remarks>
    public virtual bool MixesBatchInTraining => modules().Any(m => m is ChannelBatchNorm or TorchSharp.Modules.BatchNorm || (m is Bijection b && !ReferenceEquals(b, this) && b.MixesBatchInTraining));

    /// <summary>
    /// True where Forward draws random numbers in evaluation too, as dequantization does: Inverse then gives back x, but Forward of
    /// Inverse(z) is another draw. True by itself where a part of the layer is such a bijection.
    /// </summary>
    public virtual bool IsStochastic => modules().Any(m => m is Bijection b && !ReferenceEquals(b, this) && b.IsStochastic);

    /// <summary>
    /// Whether the log-determinant makes of a log-density only a lower bound, on average over noise, as that of a dequantization does for the
    /// probability of integers.
    /// </summary>
    public virtual bool GivesBound => modules().Any(m => m is Bijection b && !ReferenceEquals(b, this) && b.GivesBound);

    /// <summary>
    /// Whether z is the integers x with noise on top, so that Inverse gives whole numbers. True by itself if a part of the layer is such a bijection.
    /// </summary>
    /// <remarks>Samples of a flow with such a layer are integers, and have neither a density nor gradients.</remarks>
    public virtual bool Dequantizes => modules().Any(m => m is Bijection b && !ReferenceEquals(b, this) && b.Dequantizes);

    /// <summary>
    /// Whether x may be given to a flow in an integer dtype; the layer then gets it in the dtype of the weights. By itself what <see cref="Dequantizes"/> says.
    /// </summary>
    public virtual bool AcceptsIntegers => Dequantizes;

    /// <summary>
    /// Whether z holds the values of x in another order or another shape, so that what the layer behind this one says of its values holds here too, as for a permutation.
    /// </summary>
    public virtual bool MovesValues => false;

    /// <summary>
    /// Whether Forward, run again on the same x in training, gives the same z, which reversible training needs (<see cref="Flow.ReversibleTraining"/>).
    /// </summary>
    /// <remarks>
    /// False by itself where the layer is stochastic or a part of it is a dropout; a layer that draws random numbers in training alone says it. What
    /// networks keep from pass to pass, in buffers, does no harm. Layers that are not repeatable are trained the ordinary way.
    /// </remarks>
    public virtual bool IsRepeatable => !IsStochastic && !modules().Any(m => m is TorchSharp.Modules.Dropout or TorchSharp.Modules.Dropout1d or TorchSharp.Modules.Dropout2d
        or TorchSharp.Modules.Dropout3d or TorchSharp.Modules.AlphaDropout or TorchSharp.Modules.FeatureAlphaDropout || (m is Bijection b && !ReferenceEquals(b, this) && !b.IsRepeatable));

    /// <summary>
    /// The elements of x that the map treats as positions on circles, such as angles: it takes the two edges of a circle to one point, with one log-determinant,
    /// and z is on a circle in turn (<see cref="CirclesThrough"/>). Empty for a map of the line.
    /// </summary>
    /// <remarks><c>FlowCheck</c> proves it, and a <see cref="Flow"/> refuses layers and densities that do not fit together.</remarks>
    public virtual IReadOnlyList<Circle> CircularFeatures => [];

    /// <summary>
    /// The circles of z for circles of x, or of x for those of z: one that is not there afterwards is a number of the line to the map. Those of
    /// <see cref="CircularFeatures"/> at the same place, unless a layer says otherwise; one that leaves an element as it is, or moves it, lets others through.
    /// </summary>
    /// <param name="circles">Circles of x; of z if <paramref name="inverse"/> is true.</param>
    /// <param name="inverse">The direction.</param>
    public virtual IReadOnlyList<Circle> CirclesThrough(IReadOnlyList<Circle> circles, bool inverse = false) => [.. circles.Where(c => CircularFeatures.Contains(c))];

    /// <summary>
    /// Whether Forward takes about the work of one pass through the layer, as most do; false if it goes on from feature to feature, as the
    /// inverse of an autoregressive layer. By itself, whether it is so for all bijections that this one is made of.
    /// </summary>
    public virtual bool HasFastForward => Parts(this).All(part => part.HasFastForward);

    /// <summary>As <see cref="HasFastForward"/>, of Inverse. A flow with a fast inverse has its inverse tried on a few examples after each epoch of a training.</summary>
    public virtual bool HasFastInverse => Parts(this).All(part => part.HasFastInverse);

    /// <summary>
    /// True where Forward takes x of any floating-point dtype and gives z in the dtype of the weights, as a <see cref="Standardization"/> does with digits
    /// that only the data's own dtype holds. Inverse gives x in <see cref="RequestedDtype"/> then. A <see cref="Flow"/> converts its data for any other layer.
    /// </summary>
    public virtual bool ConvertsDtype => false;

    /// <summary>The shape of z for an x of shape <paramref name="input"/>; the same shape unless a layer says otherwise.</summary>
    public virtual EventShape OutputShapeOf(EventShape input) => input;

    /// <summary>The shape of x for a z of shape <paramref name="output"/>; the same shape unless a layer says otherwise.</summary>
    public virtual EventShape InputShapeOf(EventShape output) => output;

    /// <summary>Maps data x to latent z.</summary>
    /// <param name="x">A batch of shape (N, ...) with the dtype and on the device of the weights. N may be 0.</param>
    /// <param name="context">(N, C) where <see cref="ContextSize"/> is C; null where that is 0.</param>
    /// <returns>z, and log|det ∂z/∂x| of shape (N). The caller disposes both; x and the context stay as they are.</returns>
    /// <exception cref="ArgumentException">A shape, dtype or device does not fit; the message says what was expected.</exception>
    public (Tensor Value, Tensor LogDet) Forward(Tensor x, Tensor? context = null)
    {
        CheckArguments(x, nameof(x), InputShape, context, nameof(Forward), ConvertsDtype);
        return Apply(x, context, inverse: false);
    }

    /// <summary>Maps latent z back to data x.</summary>
    /// <param name="z">A batch of latents of shape (N, ...) with the dtype and on the device of the weights. N may be 0.</param>
    /// <param name="context">(N, C) where <see cref="ContextSize"/> is C; null where that is 0.</param>
    /// <returns>x, and log|det ∂x/∂z| of shape (N). The caller disposes both; z and the context stay as they are.</returns>
    /// <exception cref="ArgumentException">A shape, dtype or device does not fit; the message says what was expected.</exception>
    public (Tensor Value, Tensor LogDet) Inverse(Tensor z, Tensor? context = null)
    {
        CheckArguments(z, nameof(z), InputShape is { } s ? OutputShapeOf(s) : (EventShape?)null, context, nameof(Inverse));
        return Apply(z, context, inverse: true);
    }

    /// <summary>The map x → z and its log|det| of shape (N), or null where it is 0 for every x. Runs inside a dispose scope; arguments are checked.</summary>
    protected abstract (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Tensor? context);

    /// <summary>The map z → x and its log|det| of shape (N), or null where it is 0 for every z. Runs inside a dispose scope; arguments are checked.</summary>
    protected abstract (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Tensor? context);

    /// <summary>The generator that a random layer draws from in this call; null is torch's default generator.</summary>
    protected static Generator? RandomGenerator => RandomSource.Current;

    /// <summary>The dtype in which the caller of this Inverse wants x, for a layer that <see cref="ConvertsDtype"/>; null is that of z.</summary>
    protected static ScalarType? RequestedDtype => DataDtype.Current;

    /// <summary>Sums an elementwise log-derivative (N, ...) over all but the batch: the log-determinant (N) of an elementwise map.</summary>
    protected static Tensor SumExamples(Tensor logDerivative)
    {
        ArgumentNullException.ThrowIfNull(logDerivative);
        return Batch.SumExamples(logDerivative);
    }

    /// <summary>The layer as a tree of its parts, each with its class, shapes, properties and number of parameters; <see cref="IDescribed"/> lets a part say it in its own words.</summary>
    public override string ToString() => Describing.ModuleTree.Of(this);

    // the bijections that a module is made of, not those that these are made of
    private static IEnumerable<Bijection> Parts(nn.Module module) => module.children().SelectMany(child => child is Bijection part ? [part] : Parts(child));

    /// <summary>
    /// Throws <see cref="ArgumentException"/> if values of x are not what the layer is for, such as pixels that are no whole numbers. A flow asks its
    /// first layer, and those behind layers that only move values (<see cref="MovesValues"/>), once for a call. By itself it accepts all.
    /// </summary>
    /// <param name="x">(N, ...), finite, in the dtype that the caller gave; behind layers that move values, in the shape from before them.</param>
    /// <param name="owner">The method that was called, with which the message begins.</param>
    protected internal virtual void CheckData(Tensor x, string owner) { }

    /// <summary>
    /// Which examples lie outside of the domain of Forward, (N) of dtype Bool, or null if the domain is everything. Forward gives them a log-determinant of
    /// minus infinity, so that their log-probability is minus infinity, and any finite z. Runs in a dispose scope, without gradients.
    /// </summary>
    /// <param name="x">(N, ...), finite; behind layers that move values, in the shape from before them.</param>
    protected internal virtual Tensor? OutsideDomain(Tensor x) => null;

    /// <summary>Goes on along the layers that circles meet; a layer that is made of others lets them do it.</summary>
    internal virtual void FollowCircles(CirclePath path, bool inverse) => path.Step(this, inverse);

    /// <summary>True for a layer that only applies other layers, which reversible training then takes one by one.</summary>
    internal virtual bool IsComposite => false;

    /// <summary>
    /// Whether reversible training (<see cref="Flow.ReversibleTraining"/>) keeps the input of this layer, because it would be slow or inexact to rebuild it
    /// from the output. By itself only a layer whose batch mixes keeps it.
    /// </summary>
    /// <param name="inverse">The direction in which the layer is applied: true if its Inverse gave the output, so that Forward would rebuild the input.</param>
    protected internal virtual bool KeepsInput(bool inverse) => MixesBatchInTraining;

    /// <summary>
    /// One step of a backward pass that has only the output of this layer: its input, and the gradient of the loss with respect to that. Runs
    /// in a dispose scope, without gradients. A layer overrides it where it can do with less work than its inverse and itself.
    /// </summary>
    internal virtual (Tensor Input, Tensor Gradient) WalkBack(ReverseWalk walk, Tensor output, Tensor gradient, bool inverse) => walk.Rebuild(this, output, gradient, inverse);

    /// <summary>
    /// <see cref="WalkBack"/> of this layer and of the one before it, after Forward of both has run by <see cref="RunWith"/>: the input of the one
    /// before, and its gradient.
    /// </summary>
    internal virtual (Tensor Input, Tensor Gradient) WalkBackWith(ReverseWalk walk, Bijection before, Tensor output, Tensor gradient)
    {
        var (between, slope) = WalkBack(walk, output, gradient, inverse: false);
        return before.WalkBack(walk, between, slope, inverse: false);
    }

    /// <summary>Applies the map without checks, for layers made of other layers. Null log-det: volume preserving.</summary>
    internal (Tensor Value, Tensor? LogDet) Run(Tensor input, Tensor? context, bool inverse)
    {
        CheckAlive();
        arrival?.Invoke(this, input, inverse);
        if (ReversibleSession.Current is { } session && session.Takes(this)) return ReversibleRun.Apply(session, [this], input, context, inverse);
        using var scope = NewDisposeScope();
        var tape = IsComposite ? null : LayerTape.Current;
        var opened = tape?.Begin(this, null, input, inverse) ?? false;
        Tensor value;
        Tensor? logDet;
        try { (value, logDet) = inverse ? InverseCore(input, context) : ForwardCore(input, context); }
        catch (NoInverseException e) when (e.Passes(this)) { throw; }
        if (opened) tape!.End();
        observer?.Invoke(new LayerRun(this, input, context, value, logDet, inverse));
        if (!ReferenceEquals(value, input)) scope.MoveToOuter(value);
        if (logDet is not null) scope.MoveToOuter(logDet);
        return (value, logDet);
    }

    /// <summary>
    /// Applies this layer and the one before it in Forward's order together, for a <see cref="Chain"/>; null where that saves nothing, or where
    /// somebody looks at each layer. The log-determinant is that of both. On a tape the two are one.
    /// </summary>
    internal (Tensor Value, Tensor? LogDet)? RunWith(Bijection before, Tensor input, bool inverse)
    {
        var tape = LayerTape.Current;
        if (observer is not null || arrival is not null || disposed || before.disposed || tape?.Joins(this, before, inverse) == false) return null;
        using var scope = NewDisposeScope();
        if (WithCore(before, input, inverse) is not { } result) return null;
        // neither of them runs another layer, so the frame need not be open before
        if (tape?.Begin(this, before, input, inverse) == true) tape.End();
        scope.MoveToOuter(result.Value);
        if (result.LogDet is not null) scope.MoveToOuter(result.LogDet);
        return result;
    }

    /// <summary>What <see cref="RunWith"/> does; null where the two layers are better run alone.</summary>
    internal virtual (Tensor Value, Tensor? LogDet)? WithCore(Bijection before, Tensor input, bool inverse) => null;

    /// <summary>The floating-point dtype of the constants of this map and its parts; null where there are none.</summary>
    internal ScalarType? ConstantDtype => modules().OfType<Bijection>().Append(this).Select(b => b.constants.Dtype).FirstOrDefault(d => d is not null);

    /// <summary>Calls <paramref name="action"/> after every layer's run on this thread, until disposed.</summary>
    internal static ObserverScope Observe(Action<LayerRun> action)
    {
        var scope = new ObserverScope(observer);
        observer = action;
        return scope;
    }

    /// <summary>Calls <paramref name="action"/> before every layer's run on this thread, with input and direction, until disposed.</summary>
    internal static ArrivalScope BeforeEach(Action<Bijection, Tensor, bool> action)
    {
        var scope = new ArrivalScope(arrival);
        arrival = action;
        return scope;
    }

    internal readonly struct ArrivalScope(Action<Bijection, Tensor, bool>? previous) : IDisposable
    {
        public void Dispose() => arrival = previous;
    }

    internal readonly struct ObserverScope(Action<LayerRun>? previous) : IDisposable
    {
        public void Dispose() => observer = previous;
    }

    /// <summary>Adds a tensor that follows the module's dtype and device but is no part of its state.</summary>
    private protected Constant AddConstant(Tensor value) => constants.Add(value);

    /// <summary>Adds a constant, which follows the module's dtype and device but is no part of its state.</summary>
    private protected Constant AddConstant(Constant constant) => constants.Add(constant);

    /// <inheritdoc/>
    protected override void _toEpilog(ScalarType? dtype, Device? device, bool non_blocking)
    {
        base._toEpilog(dtype, device, non_blocking);
        constants.To(dtype, device);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        disposed = true;
        if (disposing) constants.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>Throws if the layer is disposed: its weights are gone, and a layer without any must not be taken for one that lives.</summary>
    internal void CheckAlive()
    {
        if (disposed) throw Check.Disposed(GetName());
    }

    private (Tensor, Tensor) Apply(Tensor input, Tensor? context, bool inverse)
    {
        using var scope = NewDisposeScope();
        var (value, logDet) = Run(input, context, inverse);
        if (ReferenceEquals(value, input)) value = input.alias();
        logDet ??= zeros(input.shape[0], dtype: value.dtype, device: value.device);
        return (scope.MoveToOuter(value), scope.MoveToOuter(logDet));
    }

    private void CheckArguments(Tensor input, string parameter, EventShape? expected, Tensor? context, string method, bool anyDtype = false)
    {
        CheckAlive();
        var owner = $"{GetName()}.{method}";
        Check.Batch(input, parameter, owner, expected);
        var weight = parameters().FirstOrDefault() ?? buffers().FirstOrDefault(b => b.is_floating_point());
        Check.Like(input, parameter, owner, weight, anyDtype);
        Check.Context(context, ContextSize, input.shape[0], owner, weight);
    }
}
