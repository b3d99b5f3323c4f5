using System.Globalization;
using RealNvp.Internal;
using RealNvp.Layers;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The mean of -log p(x | context) and of what the paths of continuous layers cost.</summary>
internal sealed class PathCostObjective : Objective
{
    private readonly double kineticEnergy, jacobianNorm;

    public PathCostObjective(double kineticEnergy, double jacobianNorm)
    {
        Require(kineticEnergy, nameof(kineticEnergy));
        Require(jacobianNorm, nameof(jacobianNorm));
        (this.kineticEnergy, this.jacobianNorm) = (kineticEnergy, jacobianNorm);
    }

    public override string Name => string.Create(CultureInfo.InvariantCulture,
        $"RegularizedLikelihood(kineticEnergy: {kineticEnergy:R}, jacobianNorm: {jacobianNorm:R})");

    public override ObjectiveTraits Traits { get; } = new() { IsLogLikelihood = true };

    public override Tensor Loss(Flow flow, TrainingBatch batch, long seed)
    {
        using var scope = NewDisposeScope();
        using var cost = new PathCost(kineticEnergy > 0, jacobianNorm > 0);
        Tensor loss;
        using (PassState.AskCost(cost)) loss = flow.TrainingLogProb(batch.X, batch.Context, seed).neg();
        if (cost.Kinetic is null && cost.Frobenius is null && kineticEnergy + jacobianNorm > 0)
            throw new InvalidOperationException(
                $"{Name} weighs the paths of continuous layers, but {flow.GetName()} has no {nameof(ContinuousLayer)}. " +
                $"Use {nameof(Objective)}.{nameof(MaximumLikelihood)}.");
        if (cost.Kinetic is { } kinetic) loss = loss.add(kinetic, Scalars.Of(kineticEnergy));
        if (cost.Frobenius is { } frobenius) loss = loss.add(frobenius, Scalars.Of(jacobianNorm));
        return scope.MoveToOuter(loss);
    }

    public override ObjectiveScore Validate(Flow flow, TrainingData data, int batchSize, long seed) =>
        MaximumLikelihood.Validate(flow, data, batchSize, seed);

    private static void Require(double weight, string name)
    {
        if (!(weight >= 0 && double.IsFinite(weight)))
            throw new ArgumentOutOfRangeException(name, weight, "A weight must be finite and 0 or more.");
    }
}
