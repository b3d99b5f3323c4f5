using RealNvp.Internal;
using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>x ⊙ s + b for each number: what a batch normalization does in
/// evaluation. State-dict keys: <c>scale</c>, <c>shift</c>.</summary>
internal sealed class ScaleShift : nn.Module<Tensor, Tensor>, IOnnxNetwork
{
    private readonly TorchSharp.Modules.Parameter scale, shift;

    public ScaleShift(long features) : base(nameof(ScaleShift))
    {
        scale = Weights.Parameter(ones(features));
        shift = Weights.Parameter(zeros(features));
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(input.mul(scale).add(shift, Scalars.One));
    }

    OnnxValue IOnnxNetwork.WriteOnnx(OnnxValue input, OnnxValue? context) =>
        (input * input.Graph.Constant(scale.unsqueeze(0))) + input.Graph.Constant(shift.unsqueeze(0));
}
