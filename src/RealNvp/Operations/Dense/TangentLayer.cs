using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>A linear layer y = (W x + b)·scale + shift, whose scale and shift differ from row to row.</summary>
/// <param name="Weight">(O, I).</param>
/// <param name="Bias">(O), or null.</param>
/// <param name="Scale">(N, O), or (1, O) for all rows; null for 1.</param>
/// <param name="Shift">(N, O), or (1, O) for all rows; null for 0.</param>
internal readonly record struct TangentLayer(Tensor Weight, Tensor? Bias, Tensor? Scale = null, Tensor? Shift = null)
{
    /// <summary>Whether all rows have one scale.</summary>
    public bool IsUniform => Scale is null || Scale.size(0) == 1;

    /// <summary>(N, I) to (N, O), in the caller's scope.</summary>
    public Tensor Apply(Tensor x)
    {
        var y = nn.functional.linear(x, Weight, Bias);
        if (Scale is not null && Shift is not null) return addcmul(Shift, y, Scale, Scalars.One);
        if (Scale is not null) y = y.mul(Scale);
        return Shift is null ? y : y.add(Shift, Scalars.One);
    }
}
