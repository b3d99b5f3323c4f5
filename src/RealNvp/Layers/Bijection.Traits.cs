using RealNvp.Layers;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>What a layer says of itself.</content>
public abstract partial class Bijection
{
    /// <summary>True if the examples of a batch influence each other in training, as
    /// with batch normalization. In evaluation they never do.</summary>
    /// <remarks>True by itself if a part of the layer is a batch normalization, an
    /// <see cref="IMixesBatch"/> or such a bijection; any other layer says it.</remarks>
    public virtual bool MixesBatchInTraining => modules().Any(m => m is IMixesBatch or TorchSharp.Modules.BatchNorm
        || (m is Bijection b && !ReferenceEquals(b, this) && b.MixesBatchInTraining));

    /// <summary>
    /// True if Forward draws random numbers in evaluation too, as dequantization does: Inverse then gives back x, but Forward of
    /// Inverse(z) is another draw. True by itself where a part of the layer is such a bijection.
    /// </summary>
    public virtual bool IsStochastic => modules().Any(m => m is Bijection b && !ReferenceEquals(b, this) && b.IsStochastic);

    /// <summary>
    /// What the log-determinant of Forward in evaluation makes of a log-density: exact; a lower bound, as that of a dequantization does of
    /// the probability of integers; an estimate; or off by a stated error. By
    /// itself that of the worst of the bijections that this one is made of.
    /// </summary>
    public virtual Likelihood Likelihood => Parts(this).Aggregate(Likelihood.Exact, (all, part) => all.With(part.Likelihood));

    /// <summary>
    /// Whether z is the integers x with noise on top, so that Inverse gives whole
    /// numbers. True by itself if a part of the layer is such a bijection.
    /// </summary>
    /// <remarks>Samples of a flow with such a layer are integers, and have neither a density nor gradients.</remarks>
    public virtual bool Dequantizes => modules().Any(m => m is Bijection b && !ReferenceEquals(b, this) && b.Dequantizes);

    /// <summary>
    /// Whether x may be given to a flow in an integer dtype; the layer then gets it
    /// in the dtype of the weights. By itself what <see cref="Dequantizes"/> says.
    /// </summary>
    public virtual bool AcceptsIntegers => Dequantizes;

    /// <summary>
    /// Whether z holds the values of x in another order or another shape, so that what the
    /// layer behind this one says of its values holds here too, as for a permutation.
    /// </summary>
    public virtual bool MovesValues => false;

    /// <summary>
    /// Whether |z| = |x| for every x, the root of the sum of squares over all elements, so that the layer maps a sphere onto
    /// itself. A flow over a density on a sphere (<see cref="Density.IsOnSphere"/>) is made of such layers
    /// alone. By itself what <see cref="MovesValues"/> says. <c>FlowCheck</c> proves it.
    /// </summary>
    public virtual bool KeepsLength => MovesValues;

    /// <summary>
    /// Whether Forward, run again on the same x in training, gives the same z,
    /// which reversible training needs (<see cref="Flow.ReversibleTraining"/>).
    /// </summary>
    /// <remarks>
    /// False by itself if the layer is stochastic or a part of it is a dropout or another
    /// <see cref="IDrawsInTraining"/>; a layer that draws random numbers in training alone says it. What networks keep
    /// from pass to pass, in buffers, does no harm. Layers that are not repeatable are trained the ordinary way.
    /// </remarks>
    public virtual bool IsRepeatable =>
        !IsStochastic && !modules().Any(m => m is TorchSharp.Modules.Dropout or TorchSharp.Modules.Dropout1d or TorchSharp.Modules.Dropout2d
        or TorchSharp.Modules.Dropout3d or TorchSharp.Modules.AlphaDropout or TorchSharp.Modules.FeatureAlphaDropout
            or IDrawsInTraining || (m is Bijection b && !ReferenceEquals(b, this) && !b.IsRepeatable));

    /// <summary>
    /// The elements of x that the map treats as positions on circles, such as angles: it takes the two edges of a circle to one
    /// point, with one log-determinant, and z is on a circle in turn (<see cref="CirclesThrough"/>). Empty for a map of the line.
    /// </summary>
    /// <remarks><c>FlowCheck</c> proves it, and a <see cref="Flow"/> refuses layers and densities that do not fit together.</remarks>
    public virtual IReadOnlyList<Circle> CircularFeatures => [];

    /// <summary>
    /// The circles of z for circles of x, or of x for those of z: one that is not there afterwards is a
    /// number of the line to the map. Those of <see cref="CircularFeatures"/> at the same place, unless
    /// a layer says otherwise; one that leaves an element as it is, or moves it, lets others through.
    /// </summary>
    /// <param name="circles">Circles of x; of z if <paramref name="inverse"/> is true.</param>
    /// <param name="inverse">The direction.</param>
    public virtual IReadOnlyList<Circle> CirclesThrough(IReadOnlyList<Circle> circles, bool inverse = false) =>
        [.. circles.Where(c => CircularFeatures.Contains(c))];

    /// <summary>
    /// Whether Forward takes about the work of one pass through the layer, as most do; false if it goes on from feature to feature, as the
    /// inverse of an autoregressive layer, searches, or solves a differential equation.
    /// By itself, whether it is so for all bijections that this one is made of.
    /// </summary>
    public virtual bool HasFastForward => Parts(this).All(part => part.HasFastForward);

    /// <summary>As <see cref="HasFastForward"/>, of Inverse. A flow with a fast inverse has
    /// its inverse tried on a few examples after each epoch of a training.</summary>
    public virtual bool HasFastInverse => Parts(this).All(part => part.HasFastInverse);

    /// <summary>
    /// True if Forward takes x of any floating-point dtype and gives z in the dtype of the weights, as a
    /// <see cref="Standardization"/> does with digits that only the data's own dtype holds. Inverse gives x in
    /// <see cref="Pass.RequestedDtype"/> then. A <see cref="Flow"/> converts its data for any other layer.
    /// </summary>
    public virtual bool ConvertsDtype => false;

    /// <summary>Whether both directions compute in the dtype of what they get, whatever
    /// that of the weights: a layer behind that converts gets all digits then.</summary>
    internal virtual bool KeepsDtype => MovesValues;

    /// <summary>
    /// Throws <see cref="ArgumentException"/> if values of x are not what the layer is for, such as
    /// pixels that are no whole numbers. A flow asks its first layer, and those behind layers that
    /// only move values (<see cref="MovesValues"/>), once for a call. By itself it accepts all.
    /// </summary>
    /// <param name="x">(N, ...), finite, in the dtype that the caller gave;
    /// behind layers that move values, in the shape from before them.</param>
    /// <param name="owner">The method that was called, with which the message begins.</param>
    protected internal virtual void CheckData(Tensor x, string owner) { }

    /// <summary>
    /// Which examples lie outside of the domain of Forward, (N) of dtype Bool, or null if the domain is
    /// everything. Forward gives them a log-determinant of minus infinity, so that their
    /// log-probability is minus infinity, and any finite z. Runs in a dispose scope, without gradients.
    /// </summary>
    /// <param name="x">(N, ...), finite; behind layers that move values, in the shape from before them.</param>
    protected internal virtual Tensor? OutsideDomain(Tensor x) => null;

    /// <summary>
    /// Whether reversible training (<see cref="Flow.ReversibleTraining"/>) keeps the input of this layer, because it
    /// would be slow or inexact to rebuild it from the output. By itself only a layer whose batch mixes keeps it.
    /// </summary>
    /// <param name="inverse">The direction in which the layer is applied: true if its
    /// Inverse gave the output, so that Forward would rebuild the input.</param>
    protected internal virtual bool KeepsInput(bool inverse) => MixesBatchInTraining;

    /// <summary>Goes on along the layers that circles meet; a layer that is made of others lets them do it.</summary>
    internal virtual void FollowCircles(CirclePath path, bool inverse) => path.Step(this, inverse);

    /// <summary>The part, or the layer itself, that takes a circle of <see cref="CircularFeatures"/> onto itself.</summary>
    internal virtual Bijection OwnerOf(Circle circle) => this;

    /// <summary>The part, or the layer itself, that cuts a circle of x, or of z if <paramref name="inverse"/> is true.</summary>
    internal virtual Bijection CutterOf(Circle circle, bool inverse) => this;

    /// <summary>The part, or the layer itself, that does not keep lengths.</summary>
    internal virtual Bijection Lengthener => this;

    // the bijections that a module is made of, not those that these are made of
    private static IEnumerable<Bijection> Parts(nn.Module module) =>
        module.children().SelectMany(child => child is Bijection part ? [part] : Parts(child));
}
