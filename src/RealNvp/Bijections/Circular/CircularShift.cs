using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A learned rotation of each circle: z = x + t modulo the period;
/// log|det| = 0 (Rezende and others, arXiv 2002.02428, section 2.1.3).</summary>
/// <remarks>
/// A circular spline leaves the point where the circle is cut as it is; a shift between two splines
/// lets it move. Values come in [low, high). State-dict key: <c>shift</c> (K), one a circle.
/// </remarks>
public sealed partial class CircularShift : Bijection
{
    private readonly TorchSharp.Modules.Parameter shift;
    private readonly CircleElements elements;
    private readonly Constant? source;

    /// <summary>Makes the layer.</summary>
    /// <param name="inputShape">The shape of one example, all sizes known.</param>
    /// <param name="features">The K elements that are circles, by index in the
    /// flattened example; empty for all. Others stay as they are.</param>
    /// <param name="low">The lower edge, where the circle is cut.</param>
    /// <param name="high">The upper edge, one turn on.</param>
    /// <param name="shifts">The K shifts of a new layer; null for zeros.</param>
    /// <exception cref="ArgumentException">A feature that the shape does not have,
    /// edges that are no finite interval, or another number of shifts.</exception>
    public CircularShift(EventShape inputShape, FeatureSet features = default, double low = -Math.PI, double high = Math.PI,
        IReadOnlyList<double>? shifts = null) : base(nameof(CircularShift), inputShape)
    {
        elements = new CircleElements(inputShape, features, low, high, AddConstant, nameof(CircularShift));
        var count = elements.Features.Count;
        if (shifts is not null && (shifts.Count != count || shifts.Any(s => !double.IsFinite(s))))
            throw new ArgumentException(
                $"{nameof(CircularShift)} needs {count} finite shift(s), one a circle; got [{string.Join(", ", shifts)}].", nameof(shifts));
        Weights.Pay(count, 1);
        using var scope = NewDisposeScope();
        shift = Weights.Parameter(shifts is null ? zeros(count) : tensor(shifts.ToArray(), dtype: get_default_dtype()));
        if (count < inputShape.NumElements)
        {
            // the shift of each element; that of the others is a zero behind all of them
            var from = Enumerable.Repeat((long)count, checked((int)inputShape.NumElements)).ToArray();
            for (var i = 0; i < count; i++) from[elements.Features[i]] = i;
            source = AddConstant(tensor(from, device: CPU));
        }
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Circle> CircularFeatures => elements.Circles;

    /// <inheritdoc/>
    public override IReadOnlyList<Circle> CirclesThrough(IReadOnlyList<Circle> circles, bool inverse = false) => elements.Through(circles);

    /// <inheritdoc/>
    /// <remarks>It shifts in the dtype of the data: an angle of many turns keeps its digits.</remarks>
    public override bool ConvertsDtype => true;

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) =>
        (elements.Wrapped(x.add(Shifts(x.dtype), Scalars.One)).to(shift.dtype), null);

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) =>
        (elements.Wrapped(z.to(pass.RequestedDtype ?? z.dtype).sub(Shifts(pass.RequestedDtype ?? z.dtype))), null);

    private Tensor Shifts(ScalarType dtype)
    {
        var all = source is null ? shift : cat([shift, zeros(1, dtype: shift.dtype, device: shift.device)]).index_select(0, source.Value);
        return all.reshape(InputShape!.Value.ToArray()).to(dtype);
    }
}
