using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>The weights of a layer of dynamics: y = (W x + b)·σ(g t + g₀ + G c) + S u(t) + C c. Null for what it has not.</summary>
/// <param name="Weight">W (O, I).</param>
/// <param name="Bias">b (O).</param>
/// <param name="Gate">g (O, 1).</param>
/// <param name="GateBias">g₀ (O).</param>
/// <param name="Shift">S (O, K): of t, then of cos(πkt), then of sin(πkt).</param>
/// <param name="GateContext">G (O, C).</param>
/// <param name="ShiftContext">C (O, C).</param>
internal sealed record DynamicsWeights(Tensor Weight, Tensor? Bias, Tensor? Gate = null, Tensor? GateBias = null, Tensor? Shift = null,
    Tensor? GateContext = null, Tensor? ShiftContext = null);

/// <summary>A velocity that is a network of linear layers, for the kernel that solves with it.</summary>
internal sealed class DynamicsNetwork
{
    /// <param name="layers">The layers, at least 2; the last one has no function behind it.</param>
    /// <param name="function">The function behind all others.</param>
    /// <param name="withSlope">The same and its derivative, in plain operations.</param>
    public DynamicsNetwork(IReadOnlyList<DynamicsWeights> layers, SmoothFunction function,
        Func<Tensor, (Tensor Value, Tensor Slope)> withSlope)
    {
        (Layers, WithSlope) = (layers, withSlope);
        Program = new([.. layers.Select(l => new DynamicsLayer((int)l.Weight.size(1), (int)l.Weight.size(0), l.Gate is not null,
            l.Shift is null ? 0 : (int)l.Shift.size(1)))], function);
    }

    public IReadOnlyList<DynamicsWeights> Layers { get; }

    public DynamicsProgram Program { get; }

    /// <summary>The function between the layers, and its derivative, in plain operations.</summary>
    public Func<Tensor, (Tensor Value, Tensor Slope)> WithSlope { get; }

    /// <summary>Whether the kernel takes these weights for states like this one.</summary>
    public bool Takes(Tensor state, Tensor? context)
    {
        for (var i = 0; i < Layers.Count; i++)
        {
            var (layer, size) = (Layers[i], Program.Layers[i]);
            if (i > 0 && size.Inputs != Program.Layers[i - 1].Outputs) return false;
            if (layer.GateContext is not null || layer.ShiftContext is not null)
                if (context is null || context.dtype != state.dtype || context.device_type != state.device_type) return false;
            bool Fits(Tensor? tensor, params ReadOnlySpan<long> shape) => tensor is null || KernelMemory.Is(tensor, state.dtype, shape);
            if (!(Fits(layer.Weight, size.Outputs, size.Inputs) && Fits(layer.Bias, size.Outputs) && Fits(layer.Gate, size.Outputs, 1)
                    && Fits(layer.GateBias, size.Outputs) && Fits(layer.Shift, size.Outputs, size.Times)))
                return false;
        }
        return true;
    }

    /// <summary>What the context adds to gate and shift of a layer, (N, O).
    /// In the caller's scope, with a graph if gradients are on.</summary>
    public (Tensor? Gate, Tensor? Shift) Offsets(int layer, Tensor? context) =>
        (Offset(Layers[layer].GateContext, context), Offset(Layers[layer].ShiftContext, context));

    /// <summary>dy/dt (n, M) in plain operations, with gradients of any order: the velocity, and the divergence behind it if it is
    /// wanted. In the caller's scope.</summary>
    /// <param name="t">(n), in the dtype of y.</param>
    /// <param name="y">(n, M).</param>
    /// <param name="context">(n, C), or null.</param>
    /// <param name="wantsDivergence">Whether M is D + 1.</param>
    /// <param name="place">The tensor in the place of a weight.</param>
    public Tensor Slope(Tensor t, Tensor y, Tensor? context, bool wantsDivergence, Func<Tensor, Tensor> place)
    {
        Tensor? Placed(Tensor? weight) => weight is null ? null : place(weight);
        var layers = Layers.Select(l => DynamicsReference.At(new(place(l.Weight), Placed(l.Bias), Placed(l.Gate), Placed(l.GateBias),
            Placed(l.Shift)), Offset(Placed(l.GateContext), context), Offset(Placed(l.ShiftContext), context), t));
        return DynamicsReference.Slope([.. layers], WithSlope, y, wantsDivergence);
    }

    /// <summary>B of <see cref="DynamicsDivergence.Joined"/>: W₁ ∘ W₀ᵀ for two
    /// layers, since Σₖ (W₁)ₖₕ (W₀)ₕₖ sₕ; W₁ ∘ (W₀ W₂)ᵀ for three.</summary>
    public Tensor Joined()
    {
        if (Layers.Count == 2) return Layers[1].Weight.mul(Layers[0].Weight.t());
        return Layers[1].Weight.mul(Layers[2].Weight.t().mm(Layers[0].Weight.t()));
    }

    private static Tensor? Offset(Tensor? weight, Tensor? context) => weight is null ? null : nn.functional.linear(context!, weight);
}
