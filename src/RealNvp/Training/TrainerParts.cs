namespace RealNvp;

/// <summary>What a training is made of that is code, and so stands in no file: give it again to <c>Trainer.Resume</c>.</summary>
public sealed record TrainerParts
{
    /// <summary>What is made small; maximum likelihood by default. Its name must be that of the checkpoint, and
    /// it trains modules of the same names and shapes beside the flow, whose weights are replaced.</summary>
    public Objective Objective { get; init; } = Objective.MaximumLikelihood;

    /// <summary>Makes the optimizer, as for a new <see cref="Trainer"/>; null for
    /// <see cref="AdamOptimizer"/>. Its name must be that of the checkpoint.</summary>
    public Func<IReadOnlyList<ParameterGroup>, IOptimizer>? Optimizer { get; init; }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(TrainerParts), PrintMembers);
}
