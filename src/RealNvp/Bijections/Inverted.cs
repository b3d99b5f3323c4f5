using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A bijection turned round: its Forward is the other's Inverse.</summary>
/// <remarks>It owns the bijection that it turns round.</remarks>
public sealed class Inverted : Bijection
{
    private readonly Bijection bijection;

    /// <summary>Turns <paramref name="bijection"/> round.</summary>
    public Inverted(Bijection bijection)
        : base(nameof(Inverted), (bijection ?? throw new ArgumentNullException(nameof(bijection))).InputShape is { } s ? bijection.OutputShapeOf(s) : (EventShape?)null)
    {
        this.bijection = Internal.ModuleLife.Alive(bijection, nameof(bijection), nameof(Inverted));
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override long ContextSize => bijection.ContextSize;

    /// <inheritdoc/>
    /// <remarks>Its Forward takes what the other gives, so a dequantization that is turned round takes no integers.</remarks>
    public override bool AcceptsIntegers => false;

    /// <inheritdoc/>
    public override bool MovesValues => bijection.MovesValues;

    /// <inheritdoc/>
    public override bool IsRepeatable => bijection.IsRepeatable;

    /// <inheritdoc/>
    public override IReadOnlyList<Circle> CircularFeatures => bijection.CirclesThrough(bijection.CircularFeatures);

    /// <inheritdoc/>
    public override IReadOnlyList<Circle> CirclesThrough(IReadOnlyList<Circle> circles, bool inverse = false) => bijection.CirclesThrough(circles, !inverse);

    /// <inheritdoc/>
    public override bool HasFastForward => bijection.HasFastInverse;

    /// <inheritdoc/>
    public override bool HasFastInverse => bijection.HasFastForward;

    internal override bool IsComposite => true;

    internal override void FollowCircles(CirclePath path, bool inverse) => bijection.FollowCircles(path, !inverse);

    internal override (Tensor Input, Tensor Gradient) WalkBack(ReverseWalk walk, Tensor output, Tensor gradient, bool inverse) =>
        walk.Through(bijection, output, gradient, !inverse);

    /// <inheritdoc/>
    public override EventShape OutputShapeOf(EventShape input) => bijection.InputShapeOf(input);

    /// <inheritdoc/>
    public override EventShape InputShapeOf(EventShape output) => bijection.OutputShapeOf(output);

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Tensor? context) => bijection.Run(x, context, inverse: true);

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Tensor? context) => bijection.Run(z, context, inverse: false);
}
