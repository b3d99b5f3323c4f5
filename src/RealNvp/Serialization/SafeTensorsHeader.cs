namespace RealNvp;

/// <summary>What a safetensors file holds, without its data.</summary>
public sealed class SafeTensorsHeader
{
    internal SafeTensorsHeader(IReadOnlyDictionary<string, string> metadata, IReadOnlyDictionary<string, SafeTensorsEntry> entries) =>
        (Metadata, Entries) = (metadata, entries);

    /// <summary>The strings of the file's <c>__metadata__</c>; empty if it has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The tensors' descriptions by name.</summary>
    public IReadOnlyDictionary<string, SafeTensorsEntry> Entries { get; }
}
