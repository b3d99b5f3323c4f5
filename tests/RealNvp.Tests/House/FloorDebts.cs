namespace RealNvp.Tests.House;

/// <summary>Arrows that run up today. The list only ever shrinks: a new arrow is mended, and not written here.</summary>
internal static class FloorDebts
{
    public static readonly Debt[] All =
    [
        new("Flow", "ModelFile", "SaveWeights and LoadWeights read and write files of models"),
        new("Flow", "FileState", "SaveWeights and LoadWeights read and write files of models"),
        new("Models", "ModelFile", "Save and Load are on the models, the table of kinds is in the file"),
        new("Models", "FileJson", "options are records that write themselves as JSON"),
        new("Training", "Models", "a checkpoint carries the options of a model"),
        new("Training", "Serialization", "a trainer saves itself"),
    ];

    /// <param name="From">A type, or a room for all of its types.</param>
    /// <param name="To">A type, or a room for all of its types.</param>
    /// <param name="Why">Why it is still there.</param>
    public sealed record Debt(string From, string To, string Why)
    {
        public bool Covers(string from, string to, string fromRoom, string toRoom) =>
            (From == from || From == fromRoom) && (To == to || To == toRoom);
    }
}
