using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

public partial class Flow
{
    private EvaluationGate? gate;
    private nn.Module[]? parts;

    /// <summary>Sets training mode or evaluation mode. If other threads compute with the flow, it comes into force as soon as the last of them is done.</summary>
    public override void train(bool train = true)
    {
        // while the flow is made, it has no gate
        if (gate is null) base.train(train);
        else EvaluationGate.SetMode(this, train);
    }

    /// <summary>What threads pass to compute with this flow.</summary>
    internal EvaluationGate Gate
    {
        get
        {
            if (gate is { } known && parts is not null) return known;
            parts = FindParts();
            return gate = EvaluationGate.Of(parts);
        }
    }

    /// <summary>The flow and all modules in it, parents first.</summary>
    internal nn.Module[] Parts => parts ?? FindParts();

    /// <summary>Modules may have come or gone.</summary>
    internal void PartsChanged() => parts = null;

    /// <summary>Sets the mode of the flow and its parts now.</summary>
    internal void SetOwnMode(bool training) => base.train(training);

    private nn.Module[] FindParts() => [.. modules().Prepend(this).Distinct()];
}
