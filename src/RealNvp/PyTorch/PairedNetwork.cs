using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The outputs of two networks side by side. State-dict keys: <c>first.*</c>, <c>second.*</c>.</summary>
internal sealed partial class PairedNetwork : Conditioner
{
    private readonly nn.Module<Tensor, Tensor?, Tensor> first, second;

    public PairedNetwork(Conditioner first, Conditioner second) : base(nameof(PairedNetwork), 0)
    {
        (this.first, this.second) = (first, second);
        (InputShape, OutputShape) = (first.InputShape, EventShape.Create(first.OutputShape!.Value[0] + second.OutputShape!.Value[0]));
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override EventShape? InputShape { get; }

    /// <inheritdoc/>
    public override EventShape? OutputShape { get; }

    /// <inheritdoc/>
    public override Tensor forward(Tensor input, Tensor? context)
    {
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(cat([first.call(input, null), second.call(input, null)], 1));
    }
}
