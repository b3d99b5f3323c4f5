using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Gives the same parameters whatever it sees: a layer with it has
/// parameters of its own. State-dict key: <c>value</c> (O).</summary>
internal sealed partial class ConstantNetwork : Conditioner
{
    private readonly TorchSharp.Modules.Parameter value;

    public ConstantNetwork(long inputs, long outputs) : base(nameof(ConstantNetwork), 0)
    {
        (InputShape, OutputShape) = (EventShape.Create(inputs), EventShape.Create(outputs));
        value = Weights.Parameter(zeros(outputs));
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override EventShape? InputShape { get; }

    /// <inheritdoc/>
    public override EventShape? OutputShape { get; }

    /// <inheritdoc/>
    public override Tensor forward(Tensor input, Tensor? context) => value.unsqueeze(0).repeat(input.shape[0], 1);
}
