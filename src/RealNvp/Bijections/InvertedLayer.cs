using RealNvp.Layers;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A bijection turned round: its Forward is the other's Inverse.</summary>
/// <remarks>
/// It owns the bijection that it turns round. Its Forward takes what the other gives, so a
/// dequantization that is turned round takes no integers. State-dict keys: <c>bijection.*</c>.
/// </remarks>
public sealed class InvertedLayer : Composite, IJoinsChain
{
    private readonly Bijection bijection;

    /// <summary>Turns <paramref name="bijection"/> round.</summary>
    public InvertedLayer(Bijection bijection)
        : base(nameof(InvertedLayer), (bijection ?? throw new ArgumentNullException(nameof(bijection))).InputShape is { } s
            ? bijection.OutputShapeOf(s) : (EventShape?)null)
    {
        this.bijection = Internal.ModuleLife.Alive(bijection, nameof(bijection), nameof(InvertedLayer));
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override IReadOnlyList<CompositeStep> Steps => [CompositeStep.Undo(bijection)];

    ChainStep? IJoinsChain.StepFor(Tensor input, Pass pass, bool inverse) => LayerChain.StepFor(bijection, input, pass, !inverse);
}
