using RealNvp.Internal;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>What a concat-squash layer makes of time and context: a factor σ(g(t)) in 0 ...
/// 1 and a shift s(t) for each output. It owns none of the modules that it makes.</summary>
internal sealed class TimeGate
{
    private readonly Linear gate, shift;
    private readonly Linear? contextGate, contextShift;

    public TimeGate(long outputs, long contextSize, bool zero)
    {
        Check.NotNegative(contextSize, nameof(contextSize), "The number of context features");
        ContextSize = contextSize;
        shift = Weights.Linear(1, outputs, bias: false);
        gate = Weights.Linear(1, outputs);
        if (contextSize > 0)
        {
            contextGate = Weights.Linear(contextSize, outputs, bias: false);
            contextShift = Weights.Linear(contextSize, outputs, bias: false);
        }
        if (!zero) return;
        using var _ = no_grad();
        shift.weight!.fill_(Scalars.Zero);
        contextShift?.weight!.fill_(Scalars.Zero);
    }

    public long ContextSize { get; }

    public void Deconstruct(out Linear gate, out Linear shift, out Linear? contextGate, out Linear? contextShift) =>
        (gate, shift, contextGate, contextShift) = (this.gate, this.shift, this.contextGate, this.contextShift);

    /// <summary>Factor and shift, (N, O), or (1, O) if the time of all is one and the same tensor element. In the caller's scope.</summary>
    public (Tensor Scale, Tensor Shift) At(Tensor t, Tensor? context)
    {
        var time = TimeColumn.Of(t);
        var (scale, moved) = (nn.functional.linear(time, gate.weight!, gate.bias), nn.functional.linear(time, shift.weight!));
        if (contextGate is null || context is null) return (scale.sigmoid(), moved);
        return (scale.add(nn.functional.linear(context, contextGate.weight!), Scalars.One).sigmoid(),
            moved.add(nn.functional.linear(context, contextShift!.weight!), Scalars.One));
    }
}
