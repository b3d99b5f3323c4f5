using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A dense layer y = Ŵx + b whose weight Ŵ = W·min(1, c/‖W‖) takes
/// no two inputs further apart than c times their distance.</summary>
/// <inheritdoc cref="LipschitzLayer"/>
public sealed class LipschitzLinear : LipschitzLayer
{
    private readonly EventShape shape;

    /// <summary>Makes the layer.</summary>
    /// <param name="inputs">I, the number of input features.</param>
    /// <param name="outputs">O, the number of output features.</param>
    /// <param name="coefficient">c, above 0 and below 1.</param>
    /// <param name="bias">Adds a bias.</param>
    /// <param name="zero">Starts with zeros: the output is 0.</param>
    /// <param name="domain">p of the norm of inputs: 2, 1 or infinity.</param>
    /// <param name="codomain">q of the norm of outputs: from 1 to any, from any to infinity, and from 2 to 2.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size, the coefficient or a norm is not allowed.</exception>
    public LipschitzLinear(long inputs, long outputs, double coefficient = 0.9, bool bias = true, bool zero = false, double domain = 2,
        double codomain = 2)
        : base(nameof(LipschitzLinear), [Check.Positive(outputs, nameof(outputs), "The number of output features"),
            Check.Positive(inputs, nameof(inputs), "The number of input features")],
            outputs, inputs, (bias, outputs), zero, coefficient, domain, codomain)
    {
        shape = [inputs];
        RegisterComponents();
    }

    private protected override bool IsMatrix => true;

    /// <summary>Maps (N, I) to (N, O). The caller disposes the result.</summary>
    public override Tensor forward(Tensor input)
    {
        Check.Network(input, null, shape, 0, $"{nameof(LipschitzLinear)}.forward", Weight);
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(Apply(input, Normalized()));
    }

    internal override Tensor Apply(Tensor x, Tensor weight) => nn.functional.linear(x, weight, Bias);

    internal override Tensor Times(Tensor x, Tensor weight) => x.mm(weight.t());

    internal override Tensor TimesTransposed(Tensor y, Tensor weight) => y.mm(weight);

    private protected override Tensor Norm(Tensor weight) => InducedNorm.Of(weight, Domain, Codomain);

    private protected override Tensor AsInput(Tensor rows) => rows;

    private protected override Tensor AsOutput(Tensor rows) => rows;
}
