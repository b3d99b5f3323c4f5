namespace RealNvp.Internal;

/// <summary>A module in which the examples of a batch influence each other in training, by statistics that it
/// takes over all processes that share the batch: see <see cref="RowShare"/>.</summary>
internal interface ISumsBatch;
