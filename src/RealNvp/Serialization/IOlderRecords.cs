using System.Text.Json.Nodes;

namespace RealNvp;

/// <summary>What records in older files, or written by hand, say in other words than those of today.</summary>
internal interface IOlderRecords
{
    /// <summary>The name of today of a class of models that a file names.</summary>
    string KindOf(string kind);

    /// <summary>Whether the JSON of a record in a file of a format version may have to be changed; else it is read as it is.</summary>
    bool Concern(Type type, int version);

    /// <summary>Puts JSON into the words of today.</summary>
    /// <param name="node">The JSON, which is changed.</param>
    /// <param name="type">The record.</param>
    /// <param name="version">The format version of the file; that of today for what somebody wrote by hand.</param>
    /// <param name="dropped">Hears of members that are not read any more, or
    /// that mean nothing for the record; null refuses the latter.</param>
    /// <returns>The record that it is.</returns>
    /// <exception cref="System.Text.Json.JsonException">A member means nothing for the record.</exception>
    Type Translate(JsonNode? node, Type type, int version, Action<string>? dropped);
}
