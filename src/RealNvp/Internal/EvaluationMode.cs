using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Puts a module that no flow has yet into evaluation mode, and each part of it back as it was
/// on dispose. Of a flow, many threads may ask at once: see <see cref="EvaluationGate"/>.</summary>
internal readonly struct EvaluationMode : IDisposable
{
    private readonly (nn.Module Module, bool Training)[]? before;
    private readonly nn.Module module;

    private EvaluationMode(nn.Module module)
    {
        this.module = module;
        if (!module.training) return;
        before = [.. module.modules().Select(m => (m, m.training))];
        module.eval();
    }

    public static EvaluationMode Enter(nn.Module module) => new(module);

    public void Dispose()
    {
        if (before is null) return;
        module.train();
        // parts that were frozen in evaluation mode stay frozen; train() reaches all below, so parents come first
        foreach (var (part, training) in before)
            if (part.training != training) part.train(training);
    }
}
