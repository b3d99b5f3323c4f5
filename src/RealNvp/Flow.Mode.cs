using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

public partial class Flow : IGated
{
    private EvaluationGate? gate;
    private nn.Module[]? parts;

    /// <summary>Sets training mode or evaluation mode. If other threads compute with
    /// the flow, it comes into force as soon as the last of them is done.</summary>
    public override void train(bool train = true)
    {
        // while the flow is made, it has no gate
        if (gate is null) base.train(train);
        else EvaluationGate.SetMode(this, train);
    }

    EvaluationGate IGated.Gate => Gate;

    nn.Module[] IGated.Parts => parts ?? FindParts();

    private EvaluationGate Gate
    {
        get
        {
            if (gate is { } known && parts is not null) return known;
            CheckDisposed();
            parts = FindParts();
            return gate = EvaluationGate.Of(parts);
        }
    }

    void IGated.PartsChanged() => parts = null;

    void IGated.SetOwnMode(bool training) => base.train(training);

    void IGated.CheckDisposed() => CheckDisposed();

    void IGated.CheckAlive() => CheckAlive();

    private nn.Module[] FindParts() => [.. modules().Prepend(this).Distinct()];
}
