using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary><see cref="InputLimit"/> in plain operations.</summary>
internal static class InputLimitReference
{
    private static readonly Scalar most = Scalars.Of(InputLimit.Most), minusMost = Scalars.Of(-InputLimit.Most);

    /// <summary>The limited numbers; x itself if there is no limit. The caller disposes a new tensor.</summary>
    public static Tensor Of(Tensor x, double? limit)
    {
        if (limit is not { } c) return x;
        using var scope = NewDisposeScope();
        var u = x.mul(Scalars.Of(1 / c)).clamp(minusMost, most);
        return scope.MoveToOuter(u.div(u.mul(u).add(Scalars.One, Scalars.One).sqrt()).mul(Scalars.Of(c)));
    }
}
