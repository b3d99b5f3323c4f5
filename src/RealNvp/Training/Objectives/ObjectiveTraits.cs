namespace RealNvp;

/// <summary>What a <see cref="Trainer"/> must know of an <see cref="Objective"/> before training begins.</summary>
public sealed record ObjectiveTraits
{
    /// <summary>Whether the loss is a mean of -log p of the examples in nats,
    /// so that bits per dimension are told too. False by default.</summary>
    public bool IsLogLikelihood { get; init; }

    /// <summary>Whether batches have examples, <see cref="TrainingBatch.X"/>. True by default; an
    /// objective that draws them itself sets false, and data with examples are refused.</summary>
    public bool UsesExamples { get; init; } = true;

    /// <summary>
    /// Whether the examples and contexts of the data are those that the flow takes. True by default: they are
    /// checked against the flow's shapes, its layers are fitted to them (<see cref="IFitsData"/>), and its inverse
    /// is tried on them. An objective whose flow sees something else, such as the output of an encoder, sets false.
    /// </summary>
    public bool DataAreFlowInputs { get; init; } = true;

    /// <summary>
    /// Whether <see cref="TrainingOptions.Reversible"/> may be used: if the loss comes from one
    /// call of <see cref="Flow.NegativeLogLikelihood"/> or <see cref="Flow.TrainingLogProb"/>.
    /// False by default: the option is refused then, as it would do nothing.
    /// </summary>
    public bool AllowsReversible { get; init; }

    /// <summary>Whether <see cref="Objective.Loss"/> needs gradients for its value too, such as those
    /// of a score along x, so that validation computes with a graph. False by default.</summary>
    public bool NeedsGraph { get; init; }

    /// <summary>Whether the loss of an example depends on others of its batch, as where examples are paired. False
    /// by default; such a loss is refused in a training on several processes (<see cref="Trainer.Exchange"/>).</summary>
    public bool MixesExamples { get; init; }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(ObjectiveTraits), PrintMembers);
}
