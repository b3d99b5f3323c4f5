using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <content>The same in plain operations.</content>
internal sealed partial record ScaledLinear
{
    /// <summary>The same in plain operations.</summary>
    public (Tensor Value, Tensor LogDet) Reference(Tensor x, Tensor lu, Tensor? scale, Tensor? shift, bool inverse)
    {
        if (inverse) return InverseReference(x, lu, scale, shift);
        var (rows, sign) = (tensor([.. Rows.Select(r => (long)r)], device: x.device), tensor(Sign, dtype: lu.dtype, device: x.device));
        var (scaled, logDet) = (x, lu.diagonal().sum());
        if (scale is not null)
        {
            scaled = x.mul(RunningMoments.PerChannel(scale, x.dim()).exp()).add(RunningMoments.PerChannel(shift!, x.dim()), Scalars.One);
            logDet = logDet.add(scale.sum(), Scalars.One);
        }
        return (LuMath.Apply(LuMath.FromLu(lu, rows, sign), scaled), LuMath.ByExample(logDet, x));
    }

    private (Tensor Value, Tensor LogDet) InverseReference(Tensor z, Tensor lu, Tensor? scale, Tensor? shift)
    {
        var wide = lu.to(ScalarType.Float64);
        var (rows, sign) = (tensor([.. Rows.Select(r => (long)r)], device: z.device), tensor(Sign, dtype: wide.dtype, device: z.device));
        var value = LuMath.Apply(linalg.inv(LuMath.FromLu(wide, rows, sign)).to(z.dtype), z);
        var logDet = lu.diagonal().sum();
        if (scale is not null)
        {
            value = value.sub(RunningMoments.PerChannel(shift!, z.dim())).mul(RunningMoments.PerChannel(scale, z.dim()).neg().exp());
            logDet = logDet.add(scale.sum(), Scalars.One);
        }
        return (value, LuMath.ByExample(logDet, z).neg());
    }
}
