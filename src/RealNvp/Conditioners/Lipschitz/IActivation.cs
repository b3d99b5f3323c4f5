using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>What comes before a layer of a network with a known Lipschitz bound: an elementwise map and its slope.</summary>
internal interface IActivation
{
    /// <summary>How many outputs an input has.</summary>
    int Outputs { get; }

    /// <summary>f(x) and f′(x), both with a graph if gradients are on. Runs in the caller's scope.</summary>
    (Tensor Value, Tensor? Slope) At(Tensor input, bool slope);

    /// <summary>f(x) of (N, C), and f′(x)·t of tangents (N, D, C), in one pass.</summary>
    (Tensor Value, Tensor Tangents) Push(Tensor input, Tensor tangents)
    {
        var (value, slope) = At(input, slope: true);
        if (Outputs > 1) tangents = cat([.. Enumerable.Repeat(tangents, Outputs)], 2);
        return (value, tangents.mul(slope!.unsqueeze(1)));
    }
}

/// <summary>An activation of x / √(1 + (x/c)²), which stays within ±c and takes no two numbers further apart, in place of x.</summary>
/// <param name="limit">c.</param>
/// <param name="inner">The activation; null for the limited number itself.</param>
internal sealed class LimitedActivation(double limit, IActivation? inner) : IActivation
{
    private static readonly Scalar minusThreeHalves = Scalars.Of(-1.5);

    /// <inheritdoc/>
    public int Outputs => inner?.Outputs ?? 1;

    /// <inheritdoc/>
    public (Tensor Value, Tensor? Slope) At(Tensor input, bool slope)
    {
        // infinity has no limited number: it stays a fault that has a name
        var near = InputLimitReference.Of(input, limit).add(input.sub(input), Scalars.One);
        Tensor? own = null;
        if (slope) own = input.mul(Scalars.Of(1 / limit)).pow(Scalars.Two).add(Scalars.One, Scalars.One).pow(minusThreeHalves);
        if (inner is null) return (near, own);
        var (value, next) = inner.At(near, slope);
        return (value, own is null ? null : next!.mul(Outputs == 1 ? own : cat([.. Enumerable.Repeat(own, Outputs)], 1)));
    }

    /// <inheritdoc/>
    public (Tensor Value, Tensor Tangents) Push(Tensor input, Tensor tangents)
    {
        var (near, own) = new LimitedActivation(limit, null).At(input, slope: true);
        tangents = tangents.mul(own!.unsqueeze(1));
        return inner?.Push(near, tangents) ?? (near, tangents);
    }
}
