using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>y = x ⊙ s(a) + t; log|dy/dx| = log s. Two parameters an element: all a first, then all t.</summary>
internal sealed partial class ScaleShiftTransformer : ScalarTransformer
{
    private readonly ScaleFunction function;
    private readonly double epsilon;

    public ScaleShiftTransformer(ScaleFunction function, double epsilon = 1e-3) : base(nameof(ScaleShiftTransformer))
    {
        (this.function, this.epsilon) = (function, epsilon);
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override int ParametersPerElement => 2;

    /// <inheritdoc/>
    public override bool IsIdentityAtZeroExactly => false;

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Forward(Tensor x, Tensor parameters)
    {
        CheckParameters(x, nameof(x), parameters);
        using var scope = NewDisposeScope();
        var (scale, log, shift) = Split(parameters);
        return (scope.MoveToOuter(x.mul(scale).add(shift, Scalars.One)), scope.MoveToOuter(log));
    }

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Inverse(Tensor y, Tensor parameters)
    {
        CheckParameters(y, nameof(y), parameters);
        using var scope = NewDisposeScope();
        var (scale, log, shift) = Split(parameters);
        return (scope.MoveToOuter(y.sub(shift).div(scale)), scope.MoveToOuter(log.neg()));
    }

    private (Tensor Scale, Tensor LogScale, Tensor Shift) Split(Tensor parameters)
    {
        var half = parameters.shape[1] / 2;
        var (a, shift) = (parameters.narrow(1, 0, half), parameters.narrow(1, half, half));
        var floor = Scalars.Of(epsilon);
        if (function is ScaleFunction.SoftClippedExp or ScaleFunction.Exp)
        {
            var log = function == ScaleFunction.Exp ? a.alias() : SoftClip(a, Math.Log(epsilon));
            return (log.exp(), log, shift);
        }
        var scale = (function == ScaleFunction.Sigmoid ? a.add(Scalars.Two, Scalars.One).sigmoid() : Softplus(a)).add(floor, Scalars.One);
        if (function == ScaleFunction.SoftplusUpTo3) scale = scale.clamp_max(Scalars.Of(3));
        return (scale, scale.log(), shift);
    }

    /// <summary>a / (1 + |a / limit|), which stays between ±|limit|.</summary>
    public static Tensor SoftClip(Tensor a, double limit) =>
        a.div(a.div(Scalars.Of(limit)).abs().add(Scalars.One, Scalars.One));

    /// <summary>log(1 + exp a), and a itself above 20, as PyTorch's softplus has it.</summary>
    public static Tensor Softplus(Tensor a) => a.where(a.gt(Scalars.Of(20)), nn.functional.logsigmoid(a.neg()).neg());
}
