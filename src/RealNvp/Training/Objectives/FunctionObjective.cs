using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A loss that is a function of the user's.</summary>
internal sealed class FunctionObjective(string name, Func<Flow, TrainingBatch, long, Tensor> loss,
    IReadOnlyDictionary<string, nn.Module> modules, ObjectiveTraits traits) : Objective
{
    public override string Name => name;

    public override ObjectiveTraits Traits => traits;

    public override IReadOnlyDictionary<string, nn.Module> Modules => modules;

    public override Tensor Loss(Flow flow, TrainingBatch batch, long seed) => loss(flow, batch, seed);
}
