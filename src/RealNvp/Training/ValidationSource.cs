namespace RealNvp;

/// <summary>What a training was validated on, or why it was not.</summary>
public enum ValidationSource
{
    /// <summary>No validation: a <see cref="TrainingOptions.ValidationFraction"/> of 0 asked for none.</summary>
    None,

    /// <summary>Validation data were given beside the training data.</summary>
    Given,

    /// <summary>A part of the data was held out: <see cref="TrainingOptions.ValidationFraction"/>.</summary>
    HeldOut,

    /// <summary>No validation: there are too few examples to hold some out.</summary>
    TooFewExamples,

    /// <summary>No validation: the data come from a data loader, which cannot be split. Give validation data beside it.</summary>
    DataLoader,

    /// <summary>No validation: there are no examples, so none can be learned by heart. Give
    /// <see cref="TrainingData.None"/> for validation to compare epochs by the objective all the same.</summary>
    NoExamples,
}
