namespace RealNvp;

/// <summary>A flow, or a record that describes one, that says how it is best
/// trained: what a <see cref="Trainer"/> does if it is given no options.</summary>
/// <remarks>Each <see cref="FlowModel"/> is one, and says what its record says
/// (<see cref="ModelOptions.TrainingDefaults"/>). A flow of yours may be one too.</remarks>
public interface ITrainingDefaults
{
    /// <summary>How to train.</summary>
    TrainingOptions TrainingDefaults();
}
