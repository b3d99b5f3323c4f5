namespace RealNvp.Internal;

/// <summary>A module with buffers that older files lack.</summary>
internal interface IOlderFiles
{
    /// <summary>The name of each such buffer, and the number that all of its elements had in effect.</summary>
    IReadOnlyDictionary<string, double> Missing { get; }
}
