using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary><see cref="ResidualBlock"/> in plain operations, with gradients of any order.</summary>
internal static class ResidualReference
{
    private static readonly Scalar minusThreeHalves = Scalars.Of(-1.5);

    /// <summary>z, and the log-determinant if it is wanted. Runs in the caller's scope.</summary>
    public static List<Tensor> Run(ResidualTensors tensors, bool wantsLogDet)
    {
        var (program, x) = (tensors.Program, tensors.X);
        var (n, d) = (x.size(0), x.size(1));
        var (value, tangents) = (x, eye(d, dtype: x.dtype, device: x.device).expand(n, d, d));
        if (program.Limit is { } c)
        {
            value = InputLimitReference.Of(x, c).add(x.sub(x), Scalars.One);
            var own = x.mul(Scalars.Of(1 / c)).pow(Scalars.Two).add(Scalars.One, Scalars.One).pow(minusThreeHalves);
            tangents = tangents.mul(own.unsqueeze(1));
        }
        for (var i = 0; i < program.Steps.Length; i++)
        {
            (value, tangents) = Activated(program.Steps[i], value, tangents, tensors.Betas[i]);
            var weight = Normalized(tensors.Weights[i], tensors.Norms[i]);
            value = nn.functional.linear(value, weight, tensors.Biases[i]);
            if (i == 0 && tensors.Shift is { } shift) value = value.add(shift, Scalars.One);
            tangents = tangents.reshape(n * d, -1).mm(weight.t()).reshape(n, d, -1);
        }
        var z = x.add(value, Scalars.One);
        if (!wantsLogDet) return [z];
        var whole = tangents.add(eye(d, dtype: x.dtype, device: x.device), Scalars.One);
        return [z, d switch
        {
            1 => tangents.reshape(-1).log1p(),
            _ => linalg.slogdet(whole).Item2,
        }];
    }

    private static (Tensor, Tensor) Activated(ResidualStep step, Tensor a, Tensor tangents, Tensor? beta)
    {
        if (step.Activation == ResidualActivation.None) return (a, tangents);
        if (step.Activation == ResidualActivation.Elu)
            return (nn.functional.elu(a, 1), tangents.mul(a.clamp_max(Scalars.Zero).exp().unsqueeze(1)));
        var positive = nn.functional.logsigmoid(beta!.neg()).neg();
        var (value, slope) = Swish(a, positive, step.Factor);
        if (step.Activation == ResidualActivation.Swish) return (value, tangents.mul(slope.unsqueeze(1)));
        var (mirrored, other) = Swish(a.neg(), positive, step.Factor);
        return (cat([value, mirrored], 1), cat([tangents.mul(slope.unsqueeze(1)), tangents.mul(other.neg().unsqueeze(1))], 2));
    }

    private static (Tensor Value, Tensor Slope) Swish(Tensor a, Tensor beta, double factor)
    {
        var scaled = a.mul(beta);
        var s = scaled.sigmoid();
        return (a.mul(s).mul(Scalars.Of(factor)), SwishFunction.Slope(scaled, s).mul(Scalars.Of(factor)));
    }

    private static Tensor Normalized(Tensor weight, SpectralPair? norm)
    {
        if (norm is null) return weight;
        return weight.div(Largest(weight, norm).div(Scalars.Of(norm.Coefficient)).clamp_min(Scalars.One));
    }

    private static Tensor Largest(Tensor weight, SpectralPair norm)
    {
        var (outputs, inputs) = (weight.size(0), weight.size(1));
        var all = SpectralNorm.Vectors(norm).to(weight.dtype).to(weight.device);
        if (norm.HasStep(outputs, inputs))
            return PowerIteration.Value(weight.t().mv(SpectralNorm.Start(all, outputs, inputs)), weight.mv).Upper;
        return weight.mv(all.narrow(0, outputs, inputs)).dot(all.narrow(0, 0, outputs));
    }
}
