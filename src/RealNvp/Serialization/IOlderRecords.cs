using System.Text.Json.Nodes;

namespace RealNvp;

/// <summary>What records in older files, or written by hand, say in other words than those of today.</summary>
internal interface IOlderRecords
{
    /// <summary>Whether the JSON of a record in a file of a format version may have to be changed; else it is read as it is.</summary>
    bool Concern(Type type, int version);

    /// <summary>Puts JSON into the words of today.</summary>
    /// <param name="node">The JSON, which is changed.</param>
    /// <param name="type">The record.</param>
    /// <param name="version">The format version of the file; that of today for what somebody wrote by hand.</param>
    /// <param name="dropped">Hears of members that are not read any more; null for nobody.</param>
    /// <returns>The record that it is.</returns>
    Type Translate(JsonNode? node, Type type, int version, Action<string>? dropped);
}
