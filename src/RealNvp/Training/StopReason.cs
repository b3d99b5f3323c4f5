namespace RealNvp;

/// <summary>Why training ended.</summary>
public enum StopReason
{
    /// <summary>All epochs or steps that were asked for are done.</summary>
    Finished,

    /// <summary>Validation did not improve for as many epochs as <see cref="TrainingOptions.Patience"/> says.</summary>
    EarlyStopped,

    /// <summary>The cancellation token was set. The model is usable, and a checkpoint was written if a path was given.</summary>
    Cancelled,

    /// <summary>The time of <see cref="TrainingOptions.MaxDuration"/> was over. The
    /// model is usable, and a checkpoint was written if a path was given.</summary>
    TimeLimit,
}
