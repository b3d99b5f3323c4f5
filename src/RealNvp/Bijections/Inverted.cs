namespace RealNvp;

/// <summary>A bijection turned round: its Forward is the other's Inverse.</summary>
/// <remarks>
/// It owns the bijection that it turns round. Its Forward takes what the other gives, so a
/// dequantization that is turned round takes no integers. State-dict keys: <c>bijection.*</c>.
/// </remarks>
public sealed class Inverted : Composite
{
    private readonly Bijection bijection;

    /// <summary>Turns <paramref name="bijection"/> round.</summary>
    public Inverted(Bijection bijection)
        : base(nameof(Inverted), (bijection ?? throw new ArgumentNullException(nameof(bijection))).InputShape is { } s
            ? bijection.OutputShapeOf(s) : (EventShape?)null)
    {
        this.bijection = Internal.ModuleLife.Alive(bijection, nameof(bijection), nameof(Inverted));
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override IReadOnlyList<CompositeStep> Steps => [CompositeStep.Undo(bijection)];
}
