namespace RealNvp;

/// <summary>What a batch normalization divides by while it trains. Evaluation always uses the running averages.</summary>
public enum BatchStatistics
{
    /// <summary>
    /// The running averages, updated with the current batch; gradients flow through the current batch's share (Real NVP, appendix E).
    /// Training and evaluation then see nearly the same numbers, and small batches train well.
    /// </summary>
    Running,

    /// <summary>The current batch alone, as in ordinary batch normalization.</summary>
    Current,
}
