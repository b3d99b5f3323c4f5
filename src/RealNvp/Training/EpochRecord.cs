namespace RealNvp;

/// <summary>What one epoch gave.</summary>
/// <param name="Epoch">The epoch, from 1.</param>
/// <param name="Step">The number of optimizer steps at its end.</param>
/// <param name="Loss">The mean training loss: -log p(x) in nats.</param>
/// <param name="BitsPerDim">The same in bits per dimension.</param>
/// <param name="ValidationLoss">-log p(x) of the validation data in nats, in evaluation mode; null without validation.</param>
/// <param name="ValidationBitsPerDim">The same in bits per dimension.</param>
/// <param name="Seconds">The time that the epoch took.</param>
public sealed record EpochRecord(int Epoch, long Step, double Loss, double BitsPerDim, double? ValidationLoss, double? ValidationBitsPerDim, double Seconds);
